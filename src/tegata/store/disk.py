"""Disk space in reserve: when the disk is full, revocations and refusals are still recorded.

A file of the reserve's size is allocated while there is room. New work is refused once no more
than the reserve is free beside it; essential work that meets a full disk frees the file.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from time import monotonic

from tegata.kernel.problem import Problem, ProblemCode

_LOG = logging.getLogger(__name__)
MEBIBYTE = 1024 * 1024
# Seconds for which enough space stays enough.
_LOOK_AGAIN = 0.05
DEFAULT_RESERVE = 64 * MEBIBYTE


class DiskReserve:
    """The reserve of one folder's volume. Zero octets means none."""

    def __init__(self, folder: Path, octets: int = DEFAULT_RESERVE) -> None:
        self._folder = folder
        self._file = folder / "disk-reserve"
        self._octets = octets
        self._enough_until = 0.0
        self.refill()

    def refill(self) -> None:
        """Allocate the file again when there is room for it twice."""
        if not self._octets or self._is_allocated() or self._free() < 2 * self._octets:
            return
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._octets)
            finally:
                os.close(descriptor)
        except OSError as error:
            _LOG.warning("no disk space could be put in reserve: %s", error.strerror)

    def release(self) -> bool:
        """Free the file for essential work; False when it was free already."""
        try:
            self._file.unlink()
        except OSError:
            return False
        _LOG.error("the disk is full: the space in reserve is in use now")
        return True

    def require_room(self, *, essential: bool) -> None:
        """`Problem(storage.exhausted)` for new work when no more than the reserve is free."""
        if essential or not self._octets or monotonic() < self._enough_until:
            return
        # Space that was put in reserve and is in use now is not for new work.
        kept = self._octets if self._is_allocated() else 2 * self._octets
        if self._free() < kept:
            raise Problem(ProblemCode.STORAGE_EXHAUSTED, "the disk is almost full")
        self._enough_until = monotonic() + _LOOK_AGAIN

    def _is_allocated(self) -> bool:
        try:
            return self._file.stat().st_size >= self._octets
        except OSError:
            return False

    def _free(self) -> int:
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize
