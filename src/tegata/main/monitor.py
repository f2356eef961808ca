"""The monitoring process: `tegata monitor`, or a child of `serve`.

It has three tokens of its own and the API's public door, and nothing else of the platform's.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from http.client import HTTPException
from pathlib import Path

import click

from tegata.cli.monitor import Door, IsolationProbe
from tegata.compliance.controls import PROBES
from tegata.compliance.controls.isolation import ROUTES
from tegata.outbound.system import SystemClock

_LOG = logging.getLogger(__name__)
# Seconds between two looks at the lists: a planted fault is seen within this and a round.
LOOK_SECONDS = 15.0
_RETRY_SECONDS = 2.0
TOKEN_FILES = ("canary-1.token", "canary-2.token", "collector.token")


@click.command("monitor")
@click.option(
    "--context",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="The context.json of the platform that is watched.",
)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="A folder with canary-1.token, canary-2.token and collector.token.",
)
@click.option("--once", is_flag=True, help="One whole round; print the verdict.")
@click.option("--while-stdin", is_flag=True, hidden=True)
def monitor_command(context: Path, tokens: Path, *, once: bool, while_stdin: bool) -> None:
    """Attack the platform with its canary tenants, and tell it what came of it."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    if while_stdin:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if once:
        try:
            click.echo(_probe(context, tokens).look(whole=True))
        except (OSError, HTTPException, ValueError, KeyError) as error:
            raise click.ClickException(str(error)) from error
        return
    _watch(context, tokens)


def _probe(context: Path, tokens: Path) -> IsolationProbe:
    described = json.loads(context.read_text())
    first, second, collector = ((tokens / name).read_text().strip() for name in TOKEN_FILES)
    door = Door(described["api"], described["tls_ca"])
    return IsolationProbe(door, (first, second), collector, socket.gethostname(), SystemClock())


def _watch(context: Path, tokens: Path) -> None:
    """Round after round, until the process ends. What fails is tried again; meanwhile the
    evidence grows old by itself."""
    clock, waiting = SystemClock(), threading.Event()
    period = PROBES[ROUTES][1].period
    probe: IsolationProbe | None = None
    due = clock.now()
    while True:
        now = clock.now()
        # Also after a clock that went back.
        whole = now >= due or due - now > period
        try:
            probe = probe or _probe(context, tokens)
            probe.look(whole=whole)
            due = now + period if whole else due
            waiting.wait(LOOK_SECONDS)
        except (OSError, HTTPException, ValueError, KeyError) as error:
            _LOG.warning("the platform cannot be attacked: %s", error)
            probe = None
            waiting.wait(_RETRY_SECONDS)


def _end_with_parent() -> None:
    """Whoever started this closes the pipe when it ends, however it ends."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    monitor_command()
