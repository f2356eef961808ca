"""The first start is killed while it makes the key under which all others are sealed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from tegata.outbound.system import SystemRandomness
from tegata.signers import sealing
from tegata.signers.sealing import load_sealing_key

LINES_AT_LEAST = 12


def _in_child(act: Callable[[], None]) -> int:
    """How a child process that did something ended."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _make_and_die(path: Path, at: int) -> None:
    """Make the key, but be killed before the n-th line that its room runs."""
    lines = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != sealing.__file__:
            return None
        if event == "line":
            if lines == at:
                os.kill(os.getpid(), signal.SIGKILL)
            lines += 1
        return trace

    sys.settrace(trace)
    load_sealing_key(path, SystemRandomness(), first=True)
    sys.settrace(None)


def test_a_kill_at_any_line_leaves_no_key_or_a_whole_one(tmp_path: Path) -> None:
    for line in range(200):
        folder = tmp_path / str(line)
        folder.mkdir()
        path = folder / "sealing.key"
        code = _in_child(partial(_make_and_die, path, line))
        before = path.read_bytes() if path.exists() else None
        key = load_sealing_key(path, SystemRandomness(), first=True)
        assert path.stat().st_mode & 0o777 == 0o600
        assert before in (None, path.read_bytes())
        again = load_sealing_key(path, SystemRandomness(), first=False)
        assert again.unseal(bytes(12), key.seal(bytes(12), b"text", b""), b"") == b"text"
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert line >= LINES_AT_LEAST
