"""Pictures for a card's face: blank ones, as nobody is in them."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

# Eight by ten grey pixels, JPEG 2000 (made once with OpenJPEG).
PHOTO: Final = base64.b64decode(
    "AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAACgAAAAgAAQcHAAAAAAAPY29scgEA"
    "AAAAABEAAACSanAyY/9P/1EAKQAAAAAACAAAAAoAAAAAAAAAAAAAAAgAAAAKAAAAAAAAAAAAAQcBAf9SAAwAAAABAAMEBAAB"
    "/1wADUBASEhQSEhQSEhQ/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS40/5AACgAAAAAAFwAB/5PPtAwC"
    "ZZ+AgID/2Q=="
)


def blank(width: int, height: int) -> bytes:
    """A white PNG of one bit a pixel (RFC 2083)."""
    row = b"\x00" + b"\xff" * ((width + 7) // 8)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
