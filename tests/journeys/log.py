"""The log as a stranger reads it: hashlib and signatures, nothing of ours."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from tests.journeys.platform import Json, Server, Tenant, eventually


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node(root_of(leaves[:middle]), root_of(leaves[middle:]))


def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2."""
    last, found = size - 1, leaf
    for sibling in path:
        if index & 1 or index == last:
            found = node(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node(found, sibling)
        index, last = index >> 1, last >> 1
    assert last == 0
    return found


def verified(server: Server, note: bytes) -> tuple[int, bytes]:
    """Size and root of a checkpoint, both of whose signatures hold."""
    body, _blank, lines = note.partition(b"\n\n")
    origin, size, root = body.decode().split("\n")
    keys = {}
    for member in ("log_vkey", "log_vkey_mldsa"):
        name, _plus, rest = server.context[member].partition("+")
        assert name == origin
        keys[bytes.fromhex(rest.partition("+")[0])] = base64.b64decode(rest.partition("+")[2])
    seen = set()
    for line in lines.decode().splitlines():
        dash, name, encoded = line.split(" ")
        assert (dash, name) == ("\u2014", origin)
        signature = base64.b64decode(encoded)
        key = keys[signature[:4]]
        if key[0] == 1:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], body + b"\n")
        else:
            stated = b"subtree/v1\n\0" + bytes([len(origin)]) + origin.encode() + signature[4:12]
            stated += bytes([len(origin)]) + origin.encode() + bytes(8)
            stated += int(size).to_bytes(8, "big") + base64.b64decode(root)
            MLDSA44PublicKey.from_public_bytes(key[1:]).verify(signature[12:], stated)
        seen.add(key[0])
    assert seen == {1, 6}
    return int(size), base64.b64decode(root)


def sequenced(tenant: Tenant) -> list[Json]:
    """The tenant's events, once all have a place."""

    def all_have() -> list[Json] | None:
        events = tenant.caller.events()
        return events if all(each["index"] is not None for each in events) else None

    return eventually(all_have)


def checkpoint_of(server: Server) -> bytes:
    return server.public.get("/log/checkpoint").body


def entry_of(event: Json) -> bytes:
    committed = b"tegata-event-leaf/v1\n" + octets(event["salt"]) + event["canonical"].encode()
    return hashlib.sha256(committed).digest()


def entries_of(server: Server, size: int) -> list[bytes]:
    found = []
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        partial = f".p/{width}" if width < 256 else ""
        bundle = server.public.get(f"/log/tile/entries/{number:03d}{partial}").body
        assert len(bundle) == 34 * width
        for at in range(0, len(bundle), 34):
            assert bundle[at : at + 2] == b"\0\x20"
            found.append(bundle[at + 2 : at + 34])
    return found
