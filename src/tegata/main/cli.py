"""The command `tegata`: client commands at hand, server commands loaded when they are called.

The server's parts take a second to import, which a client command should not wait for.
"""

from __future__ import annotations

import importlib

import click

from tegata import __version__
from tegata.cli.commands import CLIENT_COMMANDS

_SERVER_COMMANDS = {
    "backup": "backup_command",
    "key-list": "key_list_command",
    "restore": "restore_command",
    "run": "run_command",
    "serve": "serve_command",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_SERVER_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _SERVER_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module("tegata.main.server_commands")
        command: click.Command = getattr(module, _SERVER_COMMANDS[cmd_name])
        return command


@click.group(cls=_Commands)
@click.version_option(__version__)
def main() -> None:
    """tegata: a trust-service platform that its customers can verify."""


for client_command in CLIENT_COMMANDS:
    main.add_command(client_command)
