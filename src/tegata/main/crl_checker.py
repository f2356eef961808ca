"""The checker of published CRLs: a process of its own, started by hand, a timer or `serve`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tegata.cli.crl_check import CrlChecker, print_alarms
from tegata.outbound.system import SystemClock

# The exit code when there is something wrong: not that of a checker that failed itself.
ALARMED = 3


@click.command("crl-check")
@click.option("--url", required=True, help="Where CRLs are published (the public listener).")
@click.option(
    "--state", type=click.Path(path_type=Path), required=True, help="What it remembers: a folder."
)
@click.option("--issuer", "issuers", multiple=True, help="An issuer's id; else read from stdin.")
def crl_check_command(url: str, state: Path, issuers: tuple[str, ...]) -> None:
    """Look once at published CRLs: one JSON line for each alarm; exit code 3 when there is one."""
    chosen = issuers or sys.stdin.read().split()
    alarms = CrlChecker(url, state, SystemClock()).check(chosen)
    print_alarms(alarms)
    sys.exit(ALARMED if alarms else 0)


if __name__ == "__main__":
    crl_check_command()
