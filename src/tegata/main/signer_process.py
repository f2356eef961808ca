"""The signer process: started by the platform, or by itself; and how the platform keeps it up."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from tegata.main.settings import Settings, SettingsError
from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.signers.custodian import Custodian
from tegata.signers.keys import KeyBackEnd, SoftwareBackEnd
from tegata.signers.process import serve_signer
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import RecordSealer, SealingRoot, load_sealing_key
from tegata.signers.token_keys import PinRefusedError, open_token_keys
from tegata.signers.tree_heads import TreeHeads

_LOG = logging.getLogger(__name__)
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
# The longest path that a Unix socket's address holds, with room to spare.
_SOCKET_PATH_MAXIMUM = 100
_HSM_THREADS = 4
# The exit code of a signer process whose token refused its PIN.
PIN_REFUSED = 3


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


def _back_end(configuration: dict[str, str]) -> tuple[KeyBackEnd, SealingRoot | None]:
    if "module" not in configuration:
        return SoftwareBackEnd(), None
    pin = Path(configuration["pin_file"]).read_bytes().strip()
    return open_token_keys(configuration["module"], configuration["token"], pin)


async def _run(configuration: dict[str, str]) -> None:
    clock, randomness = SystemClock(), SystemRandomness()
    back_end, root = _back_end(configuration)
    journal = Path(configuration["data"]) / "signer-reservations.jsonl"
    if root is None:
        sealing_key = Path(configuration["sealing_key"])
        root = load_sealing_key(sealing_key, randomness, first=not journal.exists())
    sealer = RecordSealer(root, randomness)
    custodian = Custodian(
        back_end,
        sealer,
        Reservations(journal, clock, randomness, sealer),
        clock,
        randomness,
        TreeHeads(journal.parent / "log-heads"),
    )
    pool = ThreadPoolExecutor(_HSM_THREADS, "hsm") if back_end.blocking else None
    server = asyncio.create_task(
        serve_signer(custodian, pool, Path(configuration["socket"]), _say_ready)
    )
    loop = asyncio.get_running_loop()
    # A signal to the whole group of processes is the platform's to act on: it still needs
    # signatures for what is under way, and closes the pipe when it is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: None)
    loop.add_reader(sys.stdin.fileno(), server.cancel)
    try:
        await server
    except asyncio.CancelledError:
        _LOG.info("the signer process ends")


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s signer %(levelname)s %(message)s")
    os.umask(0o077)
    configuration = json.loads(os.read(sys.stdin.fileno(), 65_536))
    try:
        uvloop.run(_run(configuration))
    except (ValueError, OSError) as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(PIN_REFUSED if isinstance(error, PinRefusedError) else 1)
    # Daemon threads of an HSM's driver must not hold the process.
    os._exit(0)


if __name__ == "__main__":
    _main()
