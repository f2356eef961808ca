"""A REST client for the commands: one platform, one token, problems as messages."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Client:
    """A running platform, as its context file describes it."""

    context: dict[str, Any]
    token_file: Path | None

    @classmethod
    def open(cls, context: Path, token_file: Path | None) -> Client:
        """Read a context file."""
        try:
            described = json.loads(context.read_text())
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{context}: {error}") from error
        if not isinstance(described, dict) or not {"api", "tls_ca"} <= described.keys():
            raise click.ClickException(f"{context}: not the context of a platform")
        return cls(described, token_file)

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str | None] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call an operation; a problem ends the command with its title and detail."""
        octets = self.fetch(method, path, body, query, headers)
        return json.loads(octets) if octets else None

    def fetch(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str | None] | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """As `call`, for an answer that need not be JSON."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.context["api"] + path + ("?" + urllib.parse.urlencode(given) if given else "")
        request = urllib.request.Request(url, method=method)  # noqa: S310 (https, from context)
        request.add_header("Authorization", f"Bearer {self._token()}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            tls = ssl.create_default_context(cafile=self.context["tls_ca"])
            with urllib.request.urlopen(  # noqa: S310 (https, from context)
                request, timeout=_TIMEOUT, context=tls
            ) as answer:
                octets: bytes = answer.read()
        except urllib.error.HTTPError as error:
            raise click.ClickException(_problem(error)) from error
        except OSError as error:
            raise click.ClickException(f"{url}: {error}") from error
        return octets

    def _token(self) -> str:
        file = self.token_file or self.context.get("token_file")
        if file is None:
            raise click.ClickException("give --token-file: the context names none")
        try:
            return Path(file).read_text().strip()
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{file}: {error}") from error


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        lines = [f"{problem['title']} ({problem['code']})"]
        lines += [problem["detail"]] if problem.get("detail") else []
        lines += [
            f"{each['code']}: {each['message']} ({each['cites']})"
            for each in problem.get("findings", ())
        ]
    except (ValueError, KeyError):
        return f"HTTP {error.code}"
    return "\n".join(lines)
