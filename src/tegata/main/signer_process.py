"""The signer process. It imports no more than it needs: it starts often, and holds keys."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.signers.adoption import FOLDER as ADOPTION_FOLDER
from tegata.signers.adoption import Adoptions
from tegata.signers.custodian import Custodian
from tegata.signers.keys import KeyBackEnd, SoftwareBackEnd
from tegata.signers.process import serve_signer
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import RecordSealer, SealingRoot, load_sealing_key
from tegata.signers.token_keys import PinRefusedError, open_token_keys
from tegata.signers.tree_heads import TreeHeads

_LOG = logging.getLogger(__name__)
_HSM_THREADS = 4
# The exit code of a signer process whose token refused its PIN.
PIN_REFUSED = 3


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
        Adoptions(
            Path(configuration["data"]) / ADOPTION_FOLDER, back_end, sealer, clock, randomness
        ),
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
