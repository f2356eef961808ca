"""Shards of a CRL: which one a block of serials goes to (ADR 13).

A shard is fixed when a block is reserved, not for each certificate: blocks are durable and have
a size, so that counting what a shard holds costs a certificate nothing. Void and unused serials
count as well, so a shard's list can never be longer than its places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Serials that a shard has room for: its list stays within half a megabyte.
SHARD_PLACES = 10_000
# The next shard is opened, and its first list published, while the last still has this much room.
OPEN_AHEAD = 2_048
# All of an issuer's certificates.
COMPLETE = 0
FIRST_SHARD = 1


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard: its number, the URL its certificates name, and how many places are taken."""

    number: int
    url: str
    places: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a block goes, and which shards are opened with it."""

    shard: int
    url: str
    opens: tuple[int, ...]


def shard_url(crl_url: str, shard: int) -> str:
    """Where a shard's list is, given where the complete one is."""
    return f"{crl_url.removesuffix('.crl')}/{shard}.crl"


def place_block(newest: Sequence[Shard], size: int, crl_url: str) -> Placement:
    """The shard for a block of `size` serials. `newest` are the two newest shards, oldest first.

    A shard whose certificates name another address (the public URL was changed) is left as it is.
    """
    last = newest[-1].number if newest else COMPLETE
    for shard in newest:
        fits = shard.places + size <= SHARD_PLACES
        if fits and shard.url == shard_url(crl_url, shard.number):
            is_filling = shard.number == last and shard.places + size > SHARD_PLACES - OPEN_AHEAD
            return Placement(shard.number, shard.url, (last + 1,) if is_filling else ())
    return Placement(last + 1, shard_url(crl_url, last + 1), (last + 1,))
