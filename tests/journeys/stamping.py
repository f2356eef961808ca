"""Clients of a tenant's time-stamping authority: OpenSSL asks and verifies, as its users do."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tegata.pkix.tsp import TimeStampResponse, parse_time_stamp_response
from tests.journeys.platform import Answer, Json, Server, Tenant

QUERY = {"Content-Type": "application/timestamp-query"}
POLICY = "1.3.6.1.4.1.32473.1"
OTHER_POLICY = "1.3.6.1.4.1.32473.2"


def authority_body(tenant: Tenant, name: str = "stamps", **more: object) -> Json:
    """What asks for an authority."""
    policies = [POLICY, OTHER_POLICY]
    return {"name": name, "issuer": tenant.issuer, "policies": policies, **more}


def create_authority(tenant: Tenant, name: str = "stamps", **more: object) -> Json:
    """An authority of the tenant."""
    body = authority_body(tenant, name, **more)
    return tenant.caller.post("/v1/timestamp-authorities", body).good(201)


def ask(server: Server, authority: str, octets: bytes, **headers: str) -> Answer:
    """The answer of an authority to octets."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.public.call("POST", f"/tsp/{authority}", octets, {**QUERY, **named})


def answer(server: Server, authority: str, octets: bytes) -> TimeStampResponse:
    """As `ask`, read."""
    found = ask(server, authority, octets)
    assert found.status == 200
    assert found.headers["content-type"] == "application/timestamp-reply"
    return parse_time_stamp_response(found.body)


@dataclass(frozen=True)
class Stamped:
    """A file with its request and its answer, in a folder."""

    folder: Path
    response: bytes

    def verify(self, *options: str) -> subprocess.CompletedProcess[str]:
        """What `openssl ts -verify` says, with the file itself."""
        return openssl(self.folder, "ts", "-verify", "-data", "data", "-in", "answer.tsr", *options)


def openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run OpenSSL in a folder."""
    return subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=30
    )


def query(folder: Path, *options: str, data: bytes = b"some document") -> bytes:
    """A request that OpenSSL makes for a file."""
    folder.mkdir(exist_ok=True)
    (folder / "data").write_bytes(data)
    made = openssl(folder, "ts", "-query", "-data", "data", "-out", "query.tsq", *options)
    assert made.returncode == 0, made.stderr
    return (folder / "query.tsq").read_bytes()


def stamp(server: Server, authority: Json, folder: Path, *options: str) -> Stamped:
    """A file stamped by an authority, with the certificates beside it."""
    octets = query(folder, *options)
    response = ask(server, authority["id"], octets).body
    unit = authority["unit"]
    (folder / "answer.tsr").write_bytes(response)
    (folder / "root.pem").write_text(unit["chain"][-1])
    (folder / "unit.pem").write_text(unit["certificate"])
    (folder / "chain.pem").write_text(unit["certificate"] + "".join(unit["chain"][:-1]))
    return Stamped(folder, response)
