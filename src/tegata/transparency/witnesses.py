"""Witnesses: others who cosign our checkpoints, once they have seen that the log only grew.

None of them can hold up publication: what comes in time is published with the checkpoint, and a
witness that was slow or did not answer is asked beside the publication until it is in time again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tegata.kernel.problem import Problem
from tegata.transparency.merkle import consistency_ranges
from tegata.transparency.model import Published
from tegata.transparency.note import Signature, VerifierKey
from tegata.transparency.policy import Policy
from tegata.transparency.ports import TileStore
from tegata.transparency.tiles import TileReader, consistency_path, tiles_for
from tegata.transparency.witnessing import (
    SIZE_TYPE,
    AddCheckpoint,
    WitnessLied,
    parse_known_size,
    read_cosignatures,
)

_LOG = logging.getLogger(__name__)
# Seconds that a publication waits for its witnesses.
PATIENCE = 0.4
# How often one request may learn another size: the witness's, and one that it saw meanwhile.
_TRIES = 3
_REASONS = {
    400: "it does not understand the request",
    403: "it does not know the log's key, or takes its signature for false",
    404: "it does not know the log",
    422: "it says that the checkpoint does not continue what it saw: a forked or rolled back log",
}


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What a witness said: status, media type and body."""

    status: int
    media_type: str
    body: bytes


class WitnessUnreachable(Exception):
    """No answer, or none in time; the message says why."""


class WitnessTransport(Protocol):
    """A way to send a request to a witness."""

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer:
        """POST to ``<url>/add-checkpoint``, within bounds of time and size. Raises
        `WitnessUnreachable`."""
        ...


@dataclass(slots=True)
class Witness:
    """A witness, and how it fares. `trouble` is empty while it cosigns."""

    name: str
    url: str
    keys: tuple[VerifierKey, ...]
    seen: int = 0
    trouble: str = ""
    is_late: bool = False
    task: asyncio.Task[Sequence[Signature]] | None = None


def witnesses_of(policy: Policy) -> list[Witness]:
    """The witnesses of a policy that have an address; keys of one name and address are one's."""
    found: dict[tuple[str, str], Witness] = {}
    for name, peer in policy.witnesses.items():
        if not peer.url:
            continue
        place = peer.key.name, peer.url
        known = found.setdefault(place, Witness(name, peer.url.rstrip("/"), ()))
        known.keys = (*known.keys, peer.key)
    return list(found.values())


@dataclass(slots=True)
class WitnessRound:
    """Asks all witnesses about each checkpoint."""

    witnesses: Sequence[Witness]
    transport: WitnessTransport
    patience: float = PATIENCE

    @property
    def troubles(self) -> Mapping[str, str]:
        """What is wrong with which witness now."""
        return {each.name: each.trouble for each in self.witnesses if each.trouble}

    async def cosign(self, published: Published, tiles: TileStore) -> Sequence[Signature]:
        """The verified cosignatures that come in time."""
        asked = []
        for witness in self.witnesses:
            if witness.task is not None and not witness.task.done():
                # Still at an earlier one: it is not asked twice, and not waited for.
                self._say(witness, "it does not answer in time", late=True)
                continue
            witness.task = asyncio.create_task(self._ask(witness, published, tiles))
            asked.append(witness)
        punctual = [each.task for each in asked if each.task and not each.is_late]
        if punctual:
            await asyncio.wait(punctual, timeout=self.patience)
        found: list[Signature] = []
        for witness in asked:
            if witness.task is not None and witness.task.done():
                found += witness.task.result()
            elif not witness.is_late:
                self._say(witness, "it does not answer in time", late=True)
        return found

    async def stop(self) -> None:
        """Ask nobody any more."""
        for witness in self.witnesses:
            if witness.task is not None:
                witness.task.cancel()
                await asyncio.wait([witness.task])

    async def _ask(
        self, witness: Witness, published: Published, tiles: TileStore
    ) -> Sequence[Signature]:
        try:
            found = await self._exchange(witness, published, tiles)
        except WitnessUnreachable as error:
            self._say(witness, f"it cannot be reached: {error}", late=True)
        except WitnessLied as error:
            self._say(witness, f"it lies: {error}", late=False)
        except Problem as problem:
            _LOG.warning("witness %s could not be asked: %s", witness.name, problem)
        else:
            witness.seen = published.checkpoint.size
            self._say(witness, "", late=False)
            return found
        return ()

    async def _exchange(
        self, witness: Witness, published: Published, tiles: TileStore
    ) -> Sequence[Signature]:
        size = published.checkpoint.size
        for _ in range(_TRIES):
            ranges = consistency_ranges(witness.seen, size)
            reader = TileReader(await tiles.read_tiles(tiles_for(ranges)))
            proof = tuple(consistency_path(witness.seen, size, reader))
            body = AddCheckpoint(witness.seen, proof, published.note).encode()
            answer = await self.transport.add_checkpoint(witness.url, body)
            if answer.status == 200:
                return read_cosignatures(witness.keys, published.note.text, answer.body)
            if answer.status != 409:
                reason = _REASONS.get(answer.status, f"it answered with status {answer.status}")
                raise WitnessLied(reason) if answer.status == 422 else WitnessUnreachable(reason)
            if answer.media_type != SIZE_TYPE:
                raise WitnessLied("it answered a conflict without a size")
            known = parse_known_size(answer.body)
            if known > size:
                raise WitnessLied(f"it says that it saw {known} leaves of a log of {size}")
            if known == witness.seen:
                raise WitnessLied(f"it refuses the size {known}, and says that it knows it")
            witness.seen = known
        raise WitnessLied("it says another size each time")

    def _say(self, witness: Witness, trouble: str, *, late: bool) -> None:
        witness.is_late = late
        if trouble != witness.trouble:
            if trouble:
                _LOG.error("witness %s (%s): %s", witness.name, witness.url, trouble)
            else:
                _LOG.warning("witness %s (%s) cosigns again", witness.name, witness.url)
        witness.trouble = trouble
