"""The signer's own journal of reserved serial numbers.

The signer answers a reservation only after the journal's record is on the disk, so even a
compromised caller can obtain no signature under a serial that no record knows. Blocks belong
to the run of the signer that made them: after a restart new ones are made.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path

from tegata.issuance.serials import BLOCK_MAXIMUM, PRF_KEY_OCTETS, SerialBlock
from tegata.kernel.ids import BlockId, KeyId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode


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


class Reservations:
    """All open blocks of this run, and the journal behind them."""

    def __init__(self, journal: Path, clock: Clock, randomness: Randomness) -> None:
        torn = journal.exists() and journal.read_bytes()[-1:] not in (b"", b"\n")
        self._descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if torn:  # by a crash: the next record starts on a line of its own
            os.write(self._descriptor, b"\n")
        self._clock = clock
        self._randomness = randomness
        self._open: dict[BlockId, OpenBlock] = {}

    def reserve(self, key: KeyId, month: int, size: int) -> SerialBlock:
        """Make a block durable and open it. `Problem(storage.exhausted)` when the disk is full."""
        if not 1 <= size <= BLOCK_MAXIMUM or not 0 <= month <= 0x7FFF:
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED, "block size or month out of bounds")
        milliseconds = int(self._clock.now().timestamp() * 1000)
        identifier = encode_id("blk", time_ordered(milliseconds, self._randomness.octets(10)))
        block = SerialBlock(
            BlockId(identifier), month, size, self._randomness.octets(PRF_KEY_OCTETS)
        )
        # The PRF key is not in the journal: the record proves that the block was reserved, and
        # the caller's store keeps the key, sealed.
        record = {"block": block.id, "key": key, "month": month, "size": size}
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

    def close(self) -> None:
        """Close the journal."""
        os.close(self._descriptor)
