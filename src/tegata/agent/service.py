"""The service, over REST: fetch a session, submit what was signed."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT = 30.0
_ANSWER_MAXIMUM = 1 << 20


class ServiceProblem(Exception):
    """The service did not do it; the message is for the person, and has nothing secret."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running platform: its URL, whom to trust for its TLS, and a token's file."""

    api: str
    tls_ca: str
    token_file: Path
    language: str

    @classmethod
    def open(cls, context: Path, token_file: Path | None, language: str) -> Service:
        """From a context file."""
        try:
            described = json.loads(context.read_text())
        except (OSError, ValueError) as error:
            raise ServiceProblem(f"{context}: {error}") from error
        if not isinstance(described, dict) or not {"api", "tls_ca"} <= described.keys():
            raise ServiceProblem(f"{context}: not the context of a platform")
        token = token_file or described.get("token_file")
        if token is None:
            raise ServiceProblem("give --token-file: the context names none")
        api = str(described["api"])
        if not api.startswith("https://"):
            raise ServiceProblem(f"{api}: not over TLS")
        return cls(api, str(described["tls_ca"]), Path(token), language)

    def session(self, identifier: str) -> dict[str, Any]:
        """A session."""
        return self.call("GET", f"/v1/identity/sessions/{urllib.parse.quote(identifier, safe='')}")

    def submit(self, identifier: str, body: dict[str, object]) -> dict[str, Any]:
        """Submit what was signed; the session with its verdict."""
        path = f"/v1/identity/sessions/{urllib.parse.quote(identifier, safe='')}/submission"
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        """Call an operation; `ServiceProblem` for anything but a success."""
        request = urllib.request.Request(self.api + path, method=method)  # noqa: S310 (https)
        request.add_header("Accept-Language", self.language)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            request.add_header("Authorization", f"Bearer {self.token_file.read_text().strip()}")
            tls = ssl.create_default_context(cafile=self.tls_ca)
            with urllib.request.urlopen(  # noqa: S310 (https, looked at in open)
                request, timeout=_TIMEOUT, context=tls
            ) as answer:
                found = json.loads(answer.read(_ANSWER_MAXIMUM))
        except urllib.error.HTTPError as error:
            raise ServiceProblem(_problem(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceProblem(f"{self.api}: {error}") from error
        if not isinstance(found, dict):
            raise ServiceProblem(f"{self.api}{path}: not an object")
        return found


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read(_ANSWER_MAXIMUM))
        detail = f": {problem['detail']}" if problem.get("detail") else ""
        return f"{problem['title']} ({problem['code']}){detail}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
