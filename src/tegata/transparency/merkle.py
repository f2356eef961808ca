"""Merkle tree hashing and proofs (RFC 6962 section 2.1, SHA-256), over hashes already at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_OCTETS = 32
# The root of a tree without a leaf (RFC 6962 section 2.1).
EMPTY_ROOT = hashlib.sha256(b"").digest()

_sha256 = hashlib.sha256

# The hash over leaves [start, end): of a whole subtree, as `split_range` names them.
RangeHash = Callable[[int, int], bytes]


class ProofInvalid(ValueError):
    """A proof that does not show what it should; the message says how."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 || entry)."""
    return _sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right)."""
    return _sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over leaves or perfect subtrees of one size, side by side; any number of them."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        paired = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            # The odd one out is carried up as it is: RFC 6962 splits at the largest power of two.
            paired.append(row[-1])
        row = paired
    return row[0]


def fold_perfect(octets: bytes) -> bytes:
    """As `fold`, over hashes side by side whose number is a power of two: what most time goes
    into."""
    while len(octets) > HASH_OCTETS:
        octets = b"".join(
            [
                _sha256(b"\1" + octets[at : at + 2 * HASH_OCTETS]).digest()
                for at in range(0, len(octets), 2 * HASH_OCTETS)
            ]
        )
    return octets


def root_of(entries: Sequence[bytes]) -> bytes:
    """The root over entries."""
    return fold([leaf_hash(entry) for entry in entries])


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes are the audit path of a leaf, its sibling first."""
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size}")
    path: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """The ranges whose hashes prove that a tree of `old` leaves is the beginning of one of `size`
    (RFC 6962 section 2.1.2); none when one of them is empty or they are equal."""
    if not 0 <= old <= size:
        raise ProofInvalid(f"a tree of {old} is no beginning of one of {size}")
    if old in (0, size):
        return []
    path: list[tuple[int, int]] = []
    start, end = 0, size
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    if start:
        # Otherwise the old root is the first hash, and whoever asks has it.
        path.append((start, end))
    return path[::-1]


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> None:
    """Verify that a leaf's hash is at `index` of the tree; `ProofInvalid` if that is not shown."""
    ranges = inclusion_ranges(index, size)
    if len(path) != len(ranges):
        raise ProofInvalid(f"an audit path of {len(path)} hashes, not {len(ranges)}")
    found = leaf
    for (start, _end), sibling in zip(ranges, path, strict=True):
        found = node_hash(sibling, found) if start < index else node_hash(found, sibling)
    if found != root:
        raise ProofInvalid("the leaf does not lead to the root")


def verify_consistency(
    old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """Verify that a tree has only grown since it had `old` leaves; `ProofInvalid` if not."""
    ranges = consistency_ranges(old, size)
    if len(path) != len(ranges):
        raise ProofInvalid(f"a consistency proof of {len(path)} hashes, not {len(ranges)}")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofInvalid("an empty tree has another root")
    if old == size and old_root != root:
        raise ProofInvalid("two roots of one size")
    if ranges:
        _climb(old, old_root, root, ranges, path)


def _climb(
    old: int,
    old_root: bytes,
    root: bytes,
    ranges: Sequence[tuple[int, int]],
    path: Sequence[bytes],
) -> None:
    before = now = old_root
    steps = list(zip(ranges, path, strict=True))
    if ranges[0][1] == old:
        # The largest subtree that ends where the old tree ends.
        before = now = steps.pop(0)[1]
    for (start, _end), sibling in steps:
        if start >= old:
            now = node_hash(now, sibling)
        else:
            before, now = node_hash(sibling, before), node_hash(sibling, now)
    if before != old_root:
        raise ProofInvalid("the old root is not the beginning of this tree")
    if now != root:
        raise ProofInvalid("the proof does not lead to the root")
