"""A running platform: the real console script in a folder of its own, and clients of its doors."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]
T = TypeVar("T")

TEGATA: Final = Path(sys.executable).with_name("tegata")
START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 30.0
# What an allowed client waits for; far more than it takes.
DEADLINE: Final = 20.0


def eventually(look: Callable[[], T | None], seconds: float = DEADLINE) -> T:
    """What `look` finds, as soon as it finds something; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"{look} found nothing in {seconds} seconds"
        time.sleep(0.02)


def environment() -> dict[str, str]:
    """The environment of a command, without what would point it at another platform."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEGATA_")}
    # Without compiled modules each start takes seconds.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door answered."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Json:
        """The body, which must be a JSON object."""
        decoded = json.loads(self.body)
        assert isinstance(decoded, dict)
        return decoded

    @property
    def code(self) -> str:
        """The problem's code; fails unless this is a problem in every formal respect."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["title"]
        assert problem["type"].endswith(f"/problems/{problem['code']}")
        code = problem["code"]
        assert isinstance(code, str)
        return code

    def good(self, status: int = 200) -> Json:
        """The body of an answer that must be this success."""
        assert self.status == status, (self.status, self.body)
        return self.json() if self.body else {}


@dataclass(slots=True, eq=False)
class Server:
    """One `tegata serve`. Its stdout and stderr are files beside its data folder."""

    data: Path
    process: subprocess.Popen[bytes]
    context: Json
    # Every token whose text a test has seen: none of them may be in the log.
    secrets: set[str] = field(default_factory=set)

    @property
    def printed(self) -> str:
        """All that it wrote on its standard output."""
        return output_file(self.data).read_text()

    @property
    def log(self) -> str:
        """All that it wrote on its standard error."""
        return log_file(self.data).read_text()

    @property
    def operator(self) -> Caller:
        """The operator's token."""
        return self.caller((self.data / "operator.token").read_text().strip())

    @property
    def demo(self) -> Caller:
        """The demo tenant's token."""
        return self.caller(Path(self.context["token_file"]).read_text().strip())

    def caller(self, token: str) -> Caller:
        """Somebody with a token."""
        self.secrets.add(token)
        return Caller(self.api, token)

    @property
    def api(self) -> Door:
        """The API, as somebody without a token finds it."""
        return Door(self.context["api"], self.context["tls_ca"])

    @property
    def public(self) -> Door:
        """OCSP and CRLs."""
        return Door(self.context["public"])

    def open_tenant(self, name: str) -> Tenant:
        """A new tenant, opened by the operator."""
        body = self.operator.post("/v1/tenants", {"name": name}).good(201)
        return Tenant(body["id"], body["name"], body["issuer"], self.caller(body["token"]))

    def demo_tenant(self) -> Tenant:
        """The demo tenant."""
        return Tenant(self.context["tenant"], "Demo", self.context["issuer"], self.demo)

    def stop(self, seconds: float = DEADLINE) -> int:
        """End it as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def require_clean_log(self) -> None:
        """No bug was met, and no secret was written."""
        log = self.log
        assert "a request failed" not in log
        assert "Traceback" not in log
        assert "PRIVATE KEY" not in log
        assert not [token for token in self.secrets if token.rpartition("_")[2] in log]


@dataclass(frozen=True, slots=True)
class Door:
    """An address, and the anchor that its TLS certificate must lead to."""

    url: str
    tls_ca: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Its host."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        return urlsplit(self.url).port or 0

    def connect(self) -> http.client.HTTPConnection:
        """A connection that has been made."""
        connection: http.client.HTTPConnection
        if self.tls_ca is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS)
        else:
            tls = ssl.create_default_context(cafile=self.tls_ca)
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=ANSWER_SECONDS, context=tls
            )
        connection.connect()
        return connection

    def call(
        self,
        method: str,
        target: str,
        octets: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its answer."""
        connection = self.connect()
        try:
            return exchange(connection, method, target, octets, {**self.headers, **(headers or {})})
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Answer:
        """GET."""
        return self.call("GET", target, headers=headers)


class Caller:
    """Somebody with a token at the API."""

    def __init__(self, door: Door, token: str) -> None:
        self.token = token
        self._door = Door(door.url, door.tls_ca, {"Authorization": f"Bearer {token}"})

    def call(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        octets: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the API with a JSON body, or with octets that claim to be JSON."""
        sent = json.dumps(body).encode() if body is not None else octets
        typed = {"Content-Type": "application/json"} if sent is not None else {}
        return self._door.call(method, target, sent, {**typed, **(headers or {})})

    def get(self, target: str, **query: str | int) -> Answer:
        """GET with a query."""
        return self.call("GET", target + ("?" + urlencode(query) if query else ""))

    def post(self, target: str, body: object, **headers: str) -> Answer:
        """POST a JSON body; `Idempotency_Key` becomes a header of that name."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", target, body, headers=named)

    def delete(self, target: str) -> Answer:
        """DELETE."""
        return self.call("DELETE", target)

    def items(self, target: str, **query: str | int) -> list[Json]:
        """Every item of a list, page by page."""
        found: list[Json] = []
        following: str | None = None
        while True:
            after = {"after": following} if following is not None else {}
            page = self.get(target, **query, **after).good()
            found += page["items"]
            following = page["next"]
            if following is None:
                return found

    def certificates(self, **query: str | int) -> list[Json]:
        """The tenant's certificates, newest first."""
        return self.items("/v1/certificates", **query)

    def events(self) -> list[Json]:
        """The tenant's record, oldest first."""
        return self.items("/v1/events", limit=200)

    def facts(self) -> list[Json]:
        """The canonical members of the events of the tenant's record."""
        return [json.loads(event["canonical"]) for event in self.events()]


@dataclass(frozen=True)
class Tenant:
    """A tenant as its administrator uses it."""

    id: str
    name: str
    issuer: str
    caller: Caller

    def issue(self, csr: str, profile: str = "tls-server", **headers: str) -> Json:
        """A certificate."""
        return self.ask(csr, profile, **headers).good(201)

    def ask(self, csr: str, profile: str = "tls-server", **headers: str) -> Answer:
        """The answer to a request for a certificate."""
        body = {"issuer": self.issuer, "profile": profile, "csr": csr}
        return self.caller.post("/v1/certificates", body, **headers)

    def revoke(self, certificate: str, reason: str = "unspecified") -> Answer:
        """The answer to a revocation."""
        return self.caller.post(f"/v1/certificates/{certificate}/revoke", {"reason": reason})

    @cached_property
    def issuers(self) -> list[Json]:
        """Its certification authorities."""
        return self.caller.items("/v1/issuers")


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    octets: bytes | Iterator[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request and its answer on an open connection; an iterator is sent in chunks."""
    # A request may be refused before all of it was sent; the answer says why.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, target, octets, dict(headers or {}))
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def output_file(data: Path) -> Path:
    """Where a server's standard output goes."""
    return data.with_name(data.name + ".out")


def log_file(data: Path) -> Path:
    """Where a server's standard error goes."""
    return data.with_name(data.name + ".err")


def spawn(data: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start `tegata serve` on free ports; it may not be ready yet."""
    command: Sequence[str | Path] = [
        TEGATA,
        "serve",
        "--data",
        data,
        "--listen",
        "127.0.0.1:0",
        "--public-listen",
        "127.0.0.1:0",
        "--disk-reserve",
        "1",
        *options,
    ]
    with output_file(data).open("wb") as output, log_file(data).open("ab") as log:
        return subprocess.Popen(command, stdout=output, stderr=log, env=environment())


def start(data: Path, *options: str) -> Server:
    """Start `tegata serve`; return when it says that it is ready."""
    process = spawn(data, *options)

    def line() -> str | None:
        assert process.poll() is None, log_file(data).read_text()
        printed = output_file(data).read_text()
        return printed if printed.endswith("\n") else None

    try:
        return Server(data, process, json.loads(eventually(line, START_SECONDS)))
    except BaseException:
        process.kill()
        process.wait()
        raise


@contextmanager
def running(data: Path, *options: str) -> Iterator[Server]:
    """A server that ends, cleanly, with the block; its log is looked through."""
    server = start(data, *options)
    try:
        yield server
        if server.process.poll() is None:
            assert server.stop() == 0
        server.require_clean_log()
    finally:
        if server.process.poll() is None:
            server.kill()


def run_tegata(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the console script to its end."""
    return subprocess.run(
        [TEGATA, *arguments],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
        check=False,
    )
