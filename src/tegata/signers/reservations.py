"""The signer's own journal of reserved serial numbers.

The signer answers a reservation only after the journal's record is on the disk, so even a
compromised caller can obtain no signature under a serial that no record knows. Blocks belong
to the run of the signer that made them: after a restart new ones are made.

Each record holds the block's PRF key, sealed: a database that was restored and has not the block
gets it back, and its serials become void (ADR 15).
"""

from __future__ import annotations

import base64
import errno
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tegata.issuance.serials import BLOCK_MAXIMUM, PRF_KEY_OCTETS, SerialBlock
from tegata.kernel.ids import BlockId, KeyId, TenantId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.signers.sealing import KEY_OCTETS, FileSealingRoot, RecordSealer

_RUN = "reservations-run"


class OpenBlock:
    """A reserved block and which of its serials have been signed."""

    def __init__(self, key: KeyId, block: SerialBlock) -> None:
        self.key = key
        self.block = block
        self._signed: set[int] = set()

    def take(self, counter: int, serial: int, key: KeyId) -> None:
        """Use a serial, once; `Problem(serial.not-reserved)` when it is not this block's."""
        if key != self.key or counter in self._signed or not 0 <= counter < self.block.size:
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED, "not this key's, or used before")
        if self.block.serial(counter) != serial:
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED, "not the reserved serial number")
        self._signed.add(counter)

    def is_used_up(self) -> bool:
        """Whether every serial has been signed."""
        return len(self._signed) == self.block.size


@dataclass(frozen=True, slots=True)
class ReservedBlock:
    """A block as the journal knows it. `end` is where its record ends: octets of the journal."""

    tenant: TenantId
    key: KeyId
    block: SerialBlock
    shard: int
    end: int


class Reservations:
    """All open blocks of this run, and the journal behind them."""

    def __init__(
        self, journal: Path, clock: Clock, randomness: Randomness, sealer: RecordSealer
    ) -> None:
        self._journal = journal
        self._sealer = sealer
        # Sealed once under the sealing root, which may be a slow device; it seals every block.
        run_key = randomness.octets(KEY_OCTETS)
        self._run = base64.b64encode(sealer.seal(run_key, _RUN)).decode()
        self._run_sealer = RecordSealer(FileSealingRoot(run_key), randomness)
        torn = journal.exists() and journal.read_bytes()[-1:] not in (b"", b"\n")
        self._descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if torn:  # by a crash: the next record starts on a line of its own
            os.write(self._descriptor, b"\n")
        self._clock = clock
        self._randomness = randomness
        self._open: dict[BlockId, OpenBlock] = {}

    def reserve(self, tenant: str, key: KeyId, month: int, size: int, shard: int) -> SerialBlock:
        """Make a block durable and open it. `Problem(storage.exhausted)` when the disk is full."""
        if not 1 <= size <= BLOCK_MAXIMUM or not 0 <= month <= 0x7FFF:
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED, "block size or month out of bounds")
        milliseconds = int(self._clock.now().timestamp() * 1000)
        identifier = encode_id("blk", time_ordered(milliseconds, self._randomness.octets(10)))
        block = SerialBlock(
            BlockId(identifier), month, size, self._randomness.octets(PRF_KEY_OCTETS)
        )
        sealed = self._run_sealer.seal(block.prf_key, _block_context(block.id))
        record = {
            "block": block.id,
            "key": key,
            "month": month,
            "size": size,
            "shard": shard,
            "tenant": tenant,
            "run": self._run,
            "prf": base64.b64encode(sealed).decode(),
        }
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            raise Problem(
                ProblemCode.STORAGE_EXHAUSTED, "the signer cannot record a reservation"
            ) from error
        self._open[block.id] = OpenBlock(key, block)
        return block

    def _append(self, line: bytes) -> None:
        end = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, "a short write")  # noqa: TRY301 (mended below)
            os.fdatasync(self._descriptor)
        except OSError:
            # Half a record would spoil the next one.
            with suppress(OSError):
                os.ftruncate(self._descriptor, end)
            raise

    def take(self, block: BlockId, counter: int, serial: int, key: KeyId) -> None:
        """Use a reserved serial, once; `Problem(serial.not-reserved)` for any other."""
        opened = self._open.get(block)
        if opened is None:
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED, "no such block in this run")
        opened.take(counter, serial, key)
        if opened.is_used_up():
            del self._open[block]

    def reserved_after(self, place: int, limit: int) -> list[ReservedBlock]:
        """The blocks of any run whose records begin at or after a place in the journal.

        A place beyond its end, as after the loss of the journal, is its beginning.
        """
        octets = self._journal.read_bytes()
        end = place if place <= len(octets) else 0
        found: list[ReservedBlock] = []
        sealers: dict[str, RecordSealer] = {}
        while len(found) < limit and (following := octets.find(b"\n", end) + 1):
            line, end = octets[end:following], following
            try:
                found.append(self._reserved(json.loads(line), end, sealers))
            except (ValueError, KeyError):
                # Torn by a crash before anybody was answered, or not sealed here.
                continue
        return found

    def _reserved(
        self, record: dict[str, str], end: int, sealers: dict[str, RecordSealer]
    ) -> ReservedBlock:
        sealer = sealers.get(record["run"])
        if sealer is None:
            run_key = self._sealer.unseal(base64.b64decode(record["run"]), _RUN)
            sealer = RecordSealer(FileSealingRoot(run_key), self._randomness)
            sealers[record["run"]] = sealer
        block = BlockId(record["block"])
        prf_key = sealer.unseal(base64.b64decode(record["prf"]), _block_context(block))
        return ReservedBlock(
            TenantId(record["tenant"]),
            KeyId(record["key"]),
            SerialBlock(block, int(record["month"]), int(record["size"]), prf_key),
            int(record["shard"]),
            end,
        )

    def close(self) -> None:
        """Close the journal."""
        os.close(self._descriptor)


def _block_context(block: BlockId) -> str:
    return f"reservation|{block}"
