"""OCSP under measurement, beside servers that do nothing but send as many octets.

The questions are those of certificates issued for it, by POST and by GET; with a nonce each answer
is signed for its question. The others are a bare ASGI application on uvicorn and a file that nginx
serves with one worker.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from bench.issuing import issue_plan
from bench.platform import Running, children

Plan = dict[str, Any]
_NGINX = "/usr/sbin/nginx"
_START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Questions:
    """Loads of OCSP requests, and how long an answer is in octets."""

    post: Plan
    get: Plan
    nonce: Plan
    answer_octets: int


def questions(run: Running, csrs: list[str]) -> Questions:
    """Requests for certificates issued for it."""
    plain, fresh = [], []
    for body in issue_plan(run, csrs)["bodies"]:
        answer = _issue(run, body)
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        issuer = x509.load_pem_x509_certificate(answer["chain"][0].encode())
        request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
        plain.append(request.build().public_bytes(Encoding.DER))
        nonce = request.add_extension(x509.OCSPNonce(secrets.token_bytes(32)), critical=False)
        fresh.append(nonce.build().public_bytes(Encoding.DER))
    url = run.context["public"] + "/ocsp"
    paths = ["/" + quote(base64.b64encode(each).decode(), safe="") for each in plain]
    length = len(_post(url, plain[0]))
    return Questions(_posted(url, plain), _got(url, paths), _posted(url, fresh), length)


def _posted(url: str, octets: list[bytes]) -> Plan:
    headers = {"Content-Type": "application/ocsp-request"}
    bodies = [each.decode("latin-1") for each in octets]
    return {"url": url, "headers": headers, "bodies": bodies, "expect": 200, "tls_ca": None}


def _got(url: str, paths: list[str]) -> Plan:
    common = {"headers": {}, "expect": 200, "tls_ca": None, "method": "GET"}
    return {"url": url, "bodies": paths, **common}


def _post(url: str, octets: bytes) -> bytes:
    headers = ["--header", "Content-Type: application/ocsp-request"]
    command = ["curl", "--silent", "--fail", *headers, "--data-binary", "@-", url]
    return subprocess.run(command, input=octets, stdout=subprocess.PIPE, check=True).stdout


def _issue(run: Running, body: str) -> dict[str, Any]:
    context = run.context
    token = Path(context["token_file"]).read_text().strip()
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--cacert", context["tls_ca"], "-H",
         f"Authorization: Bearer {token}", "-H", "Content-Type: application/json", "--data", "@-",
         context["api"] + "/v1/certificates"],
        input=body.encode(), stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server that answers with so many octets."""

    name: str
    pids: list[int]
    plan: Plan


_ASGI = """
import sys, uvicorn
BODY = bytes(int(sys.argv[2]))
START = {"type": "http.response.start", "status": 200, "headers": [
    (b"content-type", b"application/ocsp-response"), (b"content-length", str(len(BODY)).encode())]}
END = {"type": "http.response.body", "body": BODY}
async def answer(scope, receive, send):
    await send(START)
    await send(END)
uvicorn.run(answer, port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off",
            loop="uvloop", http="httptools")
"""


@contextmanager
def raw_asgi(octets: int) -> Iterator[Peer]:
    """A bare ASGI application on uvicorn."""
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-c", _ASGI, str(port), str(octets)])
    try:
        _wait_for(port)
        yield Peer("a raw ASGI answer", [process.pid], _got(f"http://127.0.0.1:{port}", ["/a"]))
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(octets: int, folder: Path) -> Iterator[Peer | None]:
    """nginx with one worker and a file; None where it is not installed."""
    if shutil.which(_NGINX) is None:
        print("nginx is not installed: nothing to compare with")
        yield None
        return
    root, port = folder / "nginx", _free_port()
    root.mkdir()
    (root / "answer").write_bytes(bytes(octets))
    configuration = root / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{ access_log off;\n"
        f"keepalive_requests 1000000; open_file_cache max=10; client_body_temp_path {root}/body;\n"
        f"server {{ listen 127.0.0.1:{port}; root {root};\n"
        f"default_type application/ocsp-response; }} }}\n"
    )
    # The worker gives root up, and has to find its way here.
    root.chmod(0o755)
    for parent in (root, *root.parents):
        parent.chmod(parent.stat().st_mode | 0o001)
    process = subprocess.Popen([_NGINX, "-p", str(root), "-c", str(configuration)])
    try:
        _wait_for(port)
        plan = _got(f"http://127.0.0.1:{port}", ["/answer"])
        yield Peer("a file of nginx", [process.pid, *children(process.pid)], plan)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
