"""Serial numbers: type octet, expiry month, and 16 octets that only the block's key predicts.

A block is made durable before any of its serials can be signed, and lists its serials again
after a crash, so a signature can never stand under a serial that nobody reserved.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from tegata.kernel.ids import BlockId

# The first octet says how the rest is made; it is never zero, so a serial always has 19 octets
# (RFC 5280 section 4.1.2.2 allows 20) and is always positive.
PRF_SERIAL = 0x01
OCTETS = 19
PRF_KEY_OCTETS = 32
BLOCK_MAXIMUM = 512


@dataclass(frozen=True, slots=True)
class SerialBlock:
    """Reserved serials of one issuer that end in one month: PRF(key, 0 .. size - 1)."""

    id: BlockId
    month: int
    size: int
    prf_key: bytes

    def serial(self, counter: int) -> int:
        """The serial number at a place in the block."""
        if not 0 <= counter < self.size:
            raise ValueError("counter outside the block")
        prf = hmac.digest(self.prf_key, counter.to_bytes(8, "big"), "sha256")[:16]
        return int.from_bytes(bytes((PRF_SERIAL,)) + self.month.to_bytes(2, "big") + prf, "big")


def serial_month(serial: int) -> int | None:
    """The expiry month that a serial of ours carries; None for a serial that is not ours."""
    if serial.bit_length() > OCTETS * 8 or serial <= 0:
        return None
    octets = serial.to_bytes(OCTETS, "big")
    if octets[0] != PRF_SERIAL:
        return None
    return int.from_bytes(octets[1:3], "big")


def serial_text(serial: int) -> str:
    """A serial number in hexadecimal, two digits an octet, as its INTEGER's content."""
    return serial.to_bytes(serial.bit_length() // 8 + 1, "big").hex()


def serial_octets(serial: int) -> bytes:
    """A serial as the store keeps it: 20 octets, big-endian, so that it sorts as a number."""
    return serial.to_bytes(20, "big")
