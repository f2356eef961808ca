"""A process that has imported everything and started nothing: it forks one life after the other.

It reads a job a line from its standard input and answers with how that life ended. A life's signer
is adopted by it when the life is killed, and must end by itself: the answer waits for that.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.crash.life import Job, live, warm_up

_PR_SET_CHILD_SUBREAPER: Final = 36
LIFE_SECONDS: Final = 40.0
_PAUSE: Final = 0.002


def _main() -> None:
    assert ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    warm_up()
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_one_life(Job(**json.loads(line)))) + "\n")
        sys.stdout.flush()


def _one_life(job: Job) -> dict[str, Any]:
    job.report.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        _child(job)
    deadline = time.monotonic() + LIFE_SECONDS
    ended: dict[int, int] = {}
    while True:
        try:
            found, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break  # the life and its signer have ended
        if found:
            ended[found] = status
        elif time.monotonic() > deadline:
            _end_children(pid)
            return {"wrong": f"hung; ended before: {ended}", "code": None}
        else:
            time.sleep(_PAUSE)
    report = json.loads(job.report.read_text()) if job.report.exists() else {"wrong": "no report"}
    return {**report, "code": os.waitstatus_to_exitcode(ended[pid])}


def _end_children(life: int) -> None:
    """End a life that hangs, and then a signer that does not notice it."""
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    with suppress(ProcessLookupError):
        os.kill(life, signal.SIGKILL)
    time.sleep(_PAUSE)
    for child in own.read_text().split():
        os.kill(int(child), signal.SIGKILL)
    while own.read_text().split():
        os.wait()


def _child(job: Job) -> None:
    code = 1
    try:
        live(job)
        code = 0
    except BaseException:  # noqa: BLE001  # it ends here
        traceback.print_exc()
    finally:
        os._exit(code)


class Helper:
    """The helper process, as a test sees it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.helper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(LIFE_SECONDS)

    def live(self, job: Job) -> dict[str, Any]:
        """How a life ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the helper has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


if __name__ == "__main__":
    _main()
