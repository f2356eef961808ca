"""What the client commands share: how they find their platform, and how they show an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
F = TypeVar("F", bound=Callable[..., Any])


def connected(function: F) -> F:
    """The options by which a command finds its platform."""
    context = click.option(
        "--context",
        type=FILE,
        envvar="TEGATA_CONTEXT",
        required=True,
        help="The context.json of a running platform (or TEGATA_CONTEXT).",
    )
    token = click.option(
        "--token-file",
        type=FILE,
        envvar="TEGATA_TOKEN_FILE",
        help="A file with a token; by default the one that the context names.",
    )
    return context(token(function))


def item_path(collection: str, identifier: str) -> str:
    """Where one thing of a collection is; what was typed names nothing else."""
    return f"/v1/{collection}/{quote(identifier, safe='')}"


def show(value: object) -> None:
    """Print an answer."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
