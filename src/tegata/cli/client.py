"""A REST client for the commands: one platform, one token, problems as messages."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from tegata.kernel.wording import choose_language

_TIMEOUT = 60.0
# Items on a page: as many as the platform gives.
_PAGE = "200"


def language() -> str:
    """The language that the environment asks for (POSIX: the first of these that is set)."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    wish = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return choose_language(wish.partition(".")[0].replace("_", "-"))


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

    def collect(self, path: str) -> dict[str, Any]:
        """All pages of a list as if they were one."""
        answer: dict[str, Any] = {"items": [], "next": None}
        following = None
        while True:
            page = self.call("GET", path, query={"after": following, "limit": _PAGE})
            answer["items"] += page["items"]
            following = page["next"]
            if following is None:
                return answer

    def fetch(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str | None] | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """As `call`, for an answer that need not be JSON."""
        octets = None if body is None else json.dumps(body).encode()
        with self._open(method, path, octets, "application/json", query, headers) as answer:
            found: bytes = answer.read()
        return found

    def send_file(
        self,
        path: str,
        file: BinaryIO,
        query: dict[str, str | None],
        media_type: str = "text/csv",
    ) -> Any:
        """Send a file (CSV) as it is read."""
        with self._open("POST", path, file, media_type, query) as answer:
            return json.loads(answer.read())

    def send_parts(
        self, path: str, parts: Iterator[bytes], media_type: str, query: dict[str, str | None]
    ) -> Any:
        """Send parts as they come."""
        with self._open("POST", path, parts, media_type, query) as answer:
            return json.loads(answer.read())

    def save(self, path: str, target: BinaryIO) -> None:
        """Write an answer down as it comes."""
        with self._open("GET", path, None, "", None) as answer:
            shutil.copyfileobj(answer, target)

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | Iterator[bytes] | None,
        media_type: str,
        query: dict[str, str | None] | None,
        headers: dict[str, str] | None = None,
    ) -> Iterator[Any]:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.context["api"] + path + ("?" + urllib.parse.urlencode(given) if given else "")
        request = urllib.request.Request(url, method=method)  # noqa: S310 (https, from context)
        request.add_header("Authorization", f"Bearer {self._token()}")
        request.add_header("Accept-Language", language())
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if body is not None:
            request.data = body
            request.add_header("Content-Type", media_type)
        try:
            tls = ssl.create_default_context(cafile=self.context["tls_ca"])
            with urllib.request.urlopen(  # noqa: S310 (https, from context)
                request, timeout=_TIMEOUT, context=tls
            ) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            raise click.ClickException(_problem(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(f"{url}: {error}") from error

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
            f"{each.get('place') or each['code']}: {each['message']} ({each['cites']})"
            for each in problem.get("findings", ())
        ]
    except (ValueError, KeyError):
        return f"HTTP {error.code}"
    return "\n".join(lines)
