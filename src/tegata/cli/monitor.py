"""The monitor: two canary tenants that attack each other over the API's public door.

It knows what anybody with their tokens knows: the routes from the server's own description, what
each tenant has from that tenant's own lists. It is not told of planted faults.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tegata import __version__
from tegata.kernel.ports import Clock

_TIMEOUT = 30.0
_MARK = re.compile(rb"\b(?:crt|iss|tok|blk|ten|key)_[0-9a-z]{2,26}\b")
_KINDS = {"crt": "certificate", "iss": "issuer", "tok": "token", "blk": "bulk", "ten": "tenant"}
_OTHER = "other"
_MARKS_MAXIMUM = 2000
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer."""

    status: int
    body: bytes


class Door:
    """The API as somebody with a token finds it: one connection, opened again when it breaks."""

    def __init__(self, url: str, tls_ca: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._tls = ssl.create_default_context(cafile=tls_ca)
        self._connection: http.client.HTTPSConnection | None = None

    def ask(
        self,
        method: str,
        target: str,
        token: str,
        body: bytes | None = None,
        media_type: str = "application/json",
    ) -> Seen:
        """One request. Raises OSError or HTTPException when there is no answer."""
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = media_type
        for fresh in (self._connection is None, True):
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPSConnection(
                        self._host, self._port, timeout=_TIMEOUT, context=self._tls
                    )
                self._connection.request(method, target, body, headers)
                answer = self._connection.getresponse()
                return Seen(answer.status, answer.read())
            except (OSError, http.client.HTTPException):
                self.close()
                if fresh:
                    raise
        raise ConnectionError("no answer")

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the description: what may stand in its path, query and body. What is `public`
    asks nobody for a token, so that a forged one is no leak."""

    method: str
    path: str
    public: bool
    names: tuple[str, ...]
    query: tuple[str, ...]
    schema: Mapping[str, Any] | None
    media_type: str | None

    @property
    def is_list(self) -> bool:
        """Whether it reads what is the caller's own, without naming it."""
        return self.method == "GET" and not self.names


@dataclass(frozen=True, slots=True)
class Attack:
    """One request that must not reach the other tenant. `named` is whose it asks for, if it
    asks for anything."""

    route: Route
    target: str
    token: str
    body: bytes | None
    named: str | None
    media_type: str = "application/json"

    @property
    def where(self) -> str:
        """The route, without ids."""
        return f"{self.route.method} {self.route.path}"


@dataclass(slots=True)
class Round:
    """What one round of attacks came to."""

    attempts: int = 0
    refused: int = 0
    early: int = 0
    routes: set[str] = field(default_factory=set)
    untargeted: set[str] = field(default_factory=set)
    open_lists: set[tuple[str, str]] = field(default_factory=set)
    violations: dict[tuple[str, str], None] = field(default_factory=dict)


class IsolationProbe:
    """Attacks, and tells the platform what came of it."""

    def __init__(
        self, door: Door, tokens: Sequence[str], collector: str, host: str, clock: Clock
    ) -> None:
        self._door = door
        self._tokens = tuple(tokens)
        self._collector = collector
        self._host = host
        self._clock = clock
        self._sha256 = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        self._inputs = ""
        self._open: set[tuple[str, str]] = set()

    def look(self, *, whole: bool) -> str | None:
        """One round: every route, or only the lists that answered in the last whole one. The
        verdict, if the platform gave one. Raises OSError, HTTPException or ValueError."""
        started, seen = self._clock.now(), Round()
        routes = self._routes()
        for attacker, victim in (self._tokens, self._tokens[::-1]):
            marks = self._marks(routes, victim)
            own = self._marks(routes, attacker)
            for attack in self._attacks(routes, marks, attacker, victim, whole=whole):
                self._try(attack, marks, own, seen)
        if whole:
            self._open = seen.open_lists
        elif not seen.violations:
            return None
        return self._submit(seen, started, whole=whole)

    def _routes(self) -> list[Route]:
        answer = self._door.ask("GET", "/openapi.json", "")
        self._inputs = hashlib.sha256(answer.body).hexdigest()
        described = json.loads(answer.body)
        return list(routes_of(described))

    def _marks(self, routes: Sequence[Route], token: str) -> dict[str, list[str]]:
        """What a tenant has, by kind, as its own lists show it."""
        found: dict[str, list[str]] = {}
        tenant = f"ten_{token.split('_')[1]}"
        for text in (tenant, *self._listed(routes, token)):
            texts = found.setdefault(_kind(text), [])
            if text not in texts and len(texts) < _MARKS_MAXIMUM:
                texts.append(text)
        return found

    def _listed(self, routes: Sequence[Route], token: str) -> Iterator[str]:
        for route in routes:
            if route.is_list and route.path != "/v1/events":
                answer = self._door.ask("GET", route.path, token)
                if answer.status in _SUCCESS:
                    yield from (mark.decode() for mark in _MARK.findall(answer.body))

    def _attacks(
        self,
        routes: Sequence[Route],
        marks: Mapping[str, Sequence[str]],
        attacker: str,
        victim: str,
        *,
        whole: bool,
    ) -> Iterator[Attack]:
        # The victim's tenant and the attacker's secret: nobody's token.
        parts = attacker.split("_")
        parts[1] = victim.split("_")[1]
        forged = "_".join(parts)
        for route in routes:
            if route.is_list and (whole or (route.path, attacker) in self._open):
                yield Attack(route, route.path, attacker, None, None)
            if not whole:
                continue
            named = list(attacks_on(route, marks, attacker))
            yield from named
            sent = named[0] if named else Attack(route, route.path, forged, None, None)
            yield replace(sent, token=forged)

    def _try(
        self,
        attack: Attack,
        marks: Mapping[str, Sequence[str]],
        own: Mapping[str, Sequence[str]],
        seen: Round,
    ) -> None:
        answer = self._door.ask(
            attack.route.method, attack.target, attack.token, attack.body, attack.media_type
        )
        seen.attempts += 1
        seen.routes.add(attack.where)
        if answer.status not in _SUCCESS:
            reached = answer.status in (401, 403, 404)
            seen.refused += reached
            seen.early += not reached
            if answer.status not in (401, 403) and not all(map(marks.get, attack.route.names)):
                seen.untargeted.add(attack.where)
            return
        if attack.token not in self._tokens and not attack.route.public:
            seen.violations["credential:forged", attack.where] = None
        if attack.named is not None:
            seen.violations[f"{_kind(attack.named)}:{attack.named}", attack.where] = None
        if attack.route.is_list:
            seen.open_lists.add((attack.route.path, attack.token))
        shown = {mark.decode() for mark in _MARK.findall(answer.body)}
        # What is on both lists is one tenant's row in the other's space. Of what has no owner in
        # its name, only what the attacker does not have itself is another's.
        foreign = {text for kind, texts in marks.items() if kind != _OTHER for text in texts}
        foreign |= {*marks.get(_OTHER, ())} - {*own.get(_OTHER, ())}
        for text in sorted(shown & foreign):
            seen.violations[f"{_kind(text)}:{text}", attack.where] = None

    def _submit(self, seen: Round, started: datetime, *, whole: bool) -> str | None:
        body = {
            "probe": "isolation.routes",
            "tool": "tegata.cli.monitor",
            "tool_version": __version__,
            "tool_sha256": self._sha256,
            "inputs_digest": self._inputs,
            "host": self._host,
            "started": started.isoformat(),
            "ended": self._clock.now().isoformat(),
            "population": len(seen.routes),
            "counts": {
                "attempts": seen.attempts,
                "refused": seen.refused,
                "refused_early": seen.early,
            },
            "excluded": sorted(seen.untargeted) if whole else [],
            "violations": [{"thing": thing, "where": where} for thing, where in seen.violations],
            "whole": whole,
        }
        answer = self._door.ask("POST", "/v1/evidence", self._collector, json.dumps(body).encode())
        if answer.status not in _SUCCESS:
            raise ValueError(f"evidence was refused: {answer.status} {answer.body.decode()}")
        verdict = json.loads(answer.body)["verdict"]
        return None if verdict is None else str(verdict)


def routes_of(described: Mapping[str, Any]) -> Iterator[Route]:
    """The routes of an OpenAPI document."""
    schemas = described["components"]["schemas"]
    for path, item in described["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if schema is not None and "$ref" in schema:
                schema = schemas[schema["$ref"].rpartition("/")[2]]
            yield Route(
                method.upper(),
                path,
                operation.get("security") == [],
                tuple(re.findall(r"\{(\w+)\}", path)),
                tuple(each["name"] for each in operation["parameters"] if each["in"] == "query"),
                schema,
                next(iter(content), None),
            )


def attacks_on(route: Route, marks: Mapping[str, Sequence[str]], token: str) -> Iterator[Attack]:
    """Requests with the victim's ids in every place that takes one."""
    anything = next((text for texts in marks.values() for text in texts), "ten_none")
    body, named = _body(route, marks)
    media_type = route.media_type or "application/json"
    in_query = [name for name in route.query if marks.get(name)]
    query = "?" + urlencode({name: marks[name][0] for name in in_query}) if in_query else ""
    if not route.names:
        if route.is_list and not in_query:
            return
        # What names nobody must not act on anybody: a member that it does not know stops it.
        yield Attack(route, route.path + query, token, body, named, media_type)
        return
    first = route.names[0]
    for text in list(marks.get(first, ()))[:3] or [anything]:
        filled = route.path
        for name in route.names:
            value = text if name == first else "1"
            filled = filled.replace("{" + name + "}", quote(value, safe=""))
        yield Attack(route, filled + query, token, body, text, media_type)


def _body(route: Route, marks: Mapping[str, Sequence[str]]) -> tuple[bytes | None, str | None]:
    tenant = (marks.get("tenant") or ["ten_none"])[0]
    if route.media_type is not None and route.schema is None:
        return b"name\r\n", None
    if route.schema is None:
        if route.method == "GET" or route.names:
            return None, None
        return json.dumps({"tenant": tenant}).encode(), None
    properties = route.schema.get("properties", {})
    required = set(route.schema.get("required", ()))
    issuer = next(iter(marks.get("issuer", ())), None)
    given: dict[str, Any] = {}
    named = None
    for name in properties:
        if name in ("issuer", "parent") and issuer is not None:
            given[name], named = issuer, issuer
        elif name == "issuers" and issuer is not None:
            given[name], named = [issuer], issuer
        elif name in required:
            given[name] = _filler(properties[name])
    if named is None and not route.names:
        given["tenant"] = tenant
    return json.dumps(given).encode(), named


def _filler(schema: Mapping[str, Any]) -> Any:
    kinds = {"integer": 1, "number": 1, "boolean": False, "array": ["canary"], "object": {}}
    return kinds.get(schema.get("type", "string"), "canary")


def _kind(mark: str) -> str:
    return _KINDS.get(mark.partition("_")[0], _OTHER)
