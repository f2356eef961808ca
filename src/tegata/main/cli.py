"""The command `tegata`: most client commands at hand, others loaded when they are called.

What verifies the log, and the server's parts, take long to import: no other command should wait.
"""

from __future__ import annotations

import importlib

import click

from tegata import __version__
from tegata.cli.commands import CLIENT_COMMANDS

_SERVER = "tegata.main.server_commands"
_LATE_COMMANDS = {
    "audit": ("tegata.cli.audit", "audit_group"),
    "authorise-key": ("tegata.main.authorise", "authorise_key_command"),
    "backup": (_SERVER, "backup_command"),
    "card": ("tegata.agent.commands", "card_group"),
    "crl-check": ("tegata.main.crl_checker", "crl_check_command"),
    "key-list": (_SERVER, "key_list_command"),
    "restore": (_SERVER, "restore_command"),
    "run": (_SERVER, "run_command"),
    "sandbox": ("tegata.main.sandbox_commands", "sandbox_group"),
    "serve": (_SERVER, "serve_command"),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LATE_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _LATE_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = _LATE_COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Commands)
@click.version_option(__version__)
def main() -> None:
    """tegata: a trust-service platform that its customers can verify."""


for client_command in CLIENT_COMMANDS:
    main.add_command(client_command)
