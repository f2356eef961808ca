"""How the platform keeps its signer process up."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path

from tegata.main.settings import Settings, SettingsError
from tegata.main.signer_process import PIN_REFUSED

_LOG = logging.getLogger(__name__)
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
# The longest path that a Unix socket's address holds, with room to spare.
_SOCKET_PATH_MAXIMUM = 100


class SignerSupervisor:
    """Keeps one signer process running; its death is noticed and mended."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.socket = _socket_path(settings.data)
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the process; return when it answers."""
        await self._spawn()
        self._task = asyncio.create_task(self._watch())

    async def _spawn(self) -> None:
        configuration = {
            "data": str(self._settings.data),
            "socket": str(self.socket),
            "sealing_key": str(self._settings.sealing_key_file),
        }
        pkcs11 = self._settings.pkcs11
        if pkcs11 is not None:
            configuration |= {
                "module": pkcs11.module,
                "token": pkcs11.token,
                "pin_file": str(pkcs11.pin_file),
            }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tegata.main.signer_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # The pipe stays open: when this process dies, however it dies, the signer sees its end.
        self._process.stdin.write(json.dumps(configuration).encode() + b"\n")
        try:
            async with asyncio.timeout(START_TIMEOUT):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if line != b"ready\n":
            if line == b"" and self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            raise SettingsError(f"the signer process did not start: {line.decode().strip()}")

    async def _watch(self) -> None:
        while not self._stopping:
            assert self._process is not None
            code = await self._process.wait()
            if self.is_stopping():
                return
            _LOG.error("the signer process ended with %s; starting another", code)
            try:
                await self._spawn()
            except (SettingsError, OSError) as error:
                _LOG.error("the signer process could not be started: %s", error)
                if self._process.returncode == PIN_REFUSED:
                    # A PIN once refused is not presented again: tokens lock after a few.
                    return
                await asyncio.sleep(1)

    def is_stopping(self) -> bool:
        """Whether the process is meant to end."""
        return self._stopping

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._process.pid if self._process is not None else None

    async def stop(self) -> None:
        """End the process."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            await self._end(self._process)
        if self._task is not None:
            self._task.cancel()
        self.socket.unlink(missing_ok=True)
        if self.socket.parent.name.startswith("tegata-signer-"):
            self.socket.parent.rmdir()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _socket_path(data: Path) -> Path:
    path = data / "signer.sock"
    if len(str(path)) <= _SOCKET_PATH_MAXIMUM:
        return path
    return Path(tempfile.mkdtemp(prefix="tegata-signer-")) / "signer.sock"
