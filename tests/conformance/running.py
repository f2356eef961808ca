"""A platform that runs in processes of its own, and what tests do with it over the wire."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tests.pkix.keys import PrivateKey

TEGATA: Final = Path(sys.executable).with_name("tegata")
READY_SECONDS: Final = 40.0
STOP_SECONDS: Final = 30.0
CALL_SECONDS: Final = 30.0
NAME: Final = "www.example.test"

T = TypeVar("T")


class RefusedError(Exception):
    """The API answered with a problem."""

    def __init__(self, status: int, code: str, body: str) -> None:
        super().__init__(f"{status} {code}: {body}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as the API gave it; the paths are PEM files."""

    id: str
    serial: int
    certificate: x509.Certificate
    leaf: Path
    issuing: Path
    root: Path


@dataclass(eq=False)
class Running:
    """A started platform."""

    process: subprocess.Popen[str]
    data: Path
    log: Path
    context: Mapping[str, str]
    folder: Path
    tls: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.tls = ssl.create_default_context(cafile=self.context["tls_ca"])

    @property
    def public(self) -> str:
        """The plain listener's URL."""
        return self.context["public"]

    @property
    def responder(self) -> str:
        """The OCSP responder's URL."""
        return self.public + "/ocsp"

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API as the demo tenant; `RefusedError` when it answers with a problem."""
        token = Path(self.context["token_file"]).read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.context["api"] + path, data=data, headers=headers, method=method
        )
        handler = urllib.request.HTTPSHandler(context=self.tls)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
        try:
            with opener.open(request, timeout=CALL_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            octets = error.read().decode()
            code = json.loads(octets).get("code", "") if octets.startswith("{") else ""
            raise RefusedError(error.code, code, octets) from error

    def issue(
        self,
        name: str = NAME,
        profile: str = "tls-server",
        issuer: str | None = None,
        csr: str | None = None,
    ) -> Issued:
        """A new certificate, with its path, in files; by default of the demo's issuing CA."""
        chosen = issuer or self.context["issuer"]
        body = {"issuer": chosen, "profile": profile, "csr": csr or request_pem(name)}
        answer = self.call("POST", "/v1/certificates", body)
        leaf = self.folder / f"{answer['id']}.pem"
        leaf.write_text(answer["certificate"])
        issuing, root = self.folder / f"{chosen}.pem", self.folder / f"{chosen}-root.pem"
        issuing.write_text(answer["chain"][0])
        root.write_text(answer["chain"][-1])
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        return Issued(answer["id"], certificate.serial_number, certificate, leaf, issuing, root)

    def revoke(self, issued: Issued, reason: str = "keyCompromise") -> None:
        """Revoke a certificate."""
        self.call("POST", f"/v1/certificates/{issued.id}/revoke", {"reason": reason})

    def get(self, url: str, timeout: float = CALL_SECONDS) -> bytes:
        """What a plain URL leads to."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=timeout) as answer:
            octets: bytes = answer.read()
            return octets

    def ask(self, issued: Issued, timeout: float = CALL_SECONDS) -> ocsp.OCSPResponse:
        """The OCSP responder's answer about a certificate."""
        octets = self.get(f"{self.responder}/{ocsp_path(issued)}", timeout)
        return ocsp.load_der_ocsp_response(octets)

    def status(self, issued: Issued) -> str:
        """good, revoked or unknown, as the OCSP responder says."""
        return self.ask(issued).certificate_status.name.lower()

    def crl(self, issuer: str | None = None) -> x509.CertificateRevocationList:
        """The newest CRL of an issuer; by default the demo's issuing CA."""
        octets = self.get(f"{self.public}/crl/{issuer or self.context['issuer']}.crl")
        return x509.load_der_x509_crl(octets)

    def crl_with(self, *issued: Issued) -> Path:
        """A PEM file of a CRL that lists these certificates, waiting for it to come out."""

        def listing() -> x509.CertificateRevocationList | None:
            crl = self.crl()
            serials = {entry.serial_number for entry in crl}
            return crl if serials.issuperset(each.serial for each in issued) else None

        file = self.folder / f"crl-{issued[0].id if issued else 'now'}.pem"
        file.write_bytes(until(listing, 15, "the CRL").public_bytes(Encoding.PEM))
        return file

    def signer_pid(self) -> int | None:
        """The id of the signer process, if there is one now."""
        return find_child(self.process.pid, b"tegata.main.signer_process")

    def kill(self) -> None:
        """Kill the platform, leaving it no time for anything."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """End the platform as an operator does; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running(
    folder: Path,
    *options: str,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
    descriptors: int | None = None,
) -> Generator[Running]:
    """A demo platform with its data in `folder/data`, unless said otherwise."""
    kept = data if data is not None else folder / "data"
    log = folder / "tegata.log"
    process = start(serve_arguments(kept, "--demo", *options), log, environment, descriptors)
    try:
        context = json.loads(first_line(process, log))
        yield Running(process, kept, log, context, folder)
    finally:
        end(process)


def start(
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    descriptors: int | None = None,
) -> subprocess.Popen[str]:
    """Start `tegata`; it ends with the test process, however that ends."""
    limited = () if descriptors is None else ("prlimit", f"--nofile={descriptors}")
    with log.open("a") as errors:
        return subprocess.Popen(
            [*_end_with_parent(), *limited, TEGATA, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=plain_environment() | dict(environment or {}),
        )


def end(process: subprocess.Popen[str]) -> None:
    """End a process that may have ended already."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def first_line(process: subprocess.Popen[str], log: Path) -> str:
    """The first line that a process prints, within the time a start may take."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(READY_SECONDS), f"not ready in time: {log.read_text()}"
    line = process.stdout.readline()
    assert line, f"ended before it was ready: {log.read_text()}"
    return line


def serve_arguments(data: Path, *options: str) -> list[str]:
    """The arguments of `tegata serve` on free ports."""
    listen = ("--listen", "127.0.0.1:0", "--public-listen", "127.0.0.1:0")
    return ["serve", "--data", str(data), *listen, *options]


def refused_to_start(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """The exit code, and the error that its log ends with, of a platform that must not start."""
    process = start(arguments, log, environment)
    try:
        code = process.wait(READY_SECONDS)
    finally:
        end(process)
    # The signer process may have the last word.
    lines = log.read_text().strip().splitlines()
    return code, next((line for line in reversed(lines) if line.startswith("Error: ")), lines[-1])


def plain_environment() -> dict[str, str]:
    """Our environment without proxies and settings that would change what is tested."""
    unwanted = ("proxy", "tegata_", "lc_", "lang")
    return {name: value for name, value in os.environ.items() if not is_any(name, unwanted)}


def is_any(name: str, unwanted: Sequence[str]) -> bool:
    """Whether a variable's name begins or ends with one of these."""
    return any(name.lower().startswith(each) or name.lower().endswith(each) for each in unwanted)


def request_pem(name: str, key: PrivateKey | None = None) -> str:
    """A certification request for a host name; under a new key unless one is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    hashed = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    request = builder.add_extension(names, critical=False).sign(
        key, hashes.SHA256() if hashed else None
    )
    return request.public_bytes(Encoding.PEM).decode()


def ocsp_path(issued: Issued) -> str:
    """A question about a certificate as a GET carries it (RFC 6960 appendix A.1)."""
    issuer = x509.load_pem_x509_certificate(issued.issuing.read_bytes())
    builder = ocsp.OCSPRequestBuilder()
    return path_of(builder.add_certificate(issued.certificate, issuer, hashes.SHA1()))


def path_of(builder: ocsp.OCSPRequestBuilder) -> str:
    """An OCSP request, percent-encoded."""
    octets = builder.build().public_bytes(Encoding.DER)
    return urllib.parse.quote(base64.b64encode(octets).decode(), safe="")


def run(*command: str | Path, folder: Path | None = None, **named: Any) -> str:
    """Run a program that must succeed; what it printed, on either stream."""
    code, text = attempt(*command, folder=folder, **named)
    assert code == 0, f"{command[0]} ended with {code}: {text}"
    return text


def attempt(
    *command: str | Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    seconds: float = 60,
) -> tuple[int, str]:
    """Run a program; its exit code and what it printed, on either stream."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=plain_environment() | dict(environment or {}),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout


def until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
    """The first value of a condition that is neither None nor False, within a time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value is not None and value is not False:
            return value
        assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
        time.sleep(0.05)


def find_child(parent: int, mark: bytes) -> int | None:
    """The child of a process whose command line holds a mark."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # Processes come and go while one looks.
            with suppress(OSError, IndexError):
                ppid = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if ppid == parent and mark in (entry / "cmdline").read_bytes():
                    return int(entry.name)
    return None


def is_alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end_with_parent() -> Sequence[str]:
    if shutil.which("setpriv") is None:
        return ()
    return ("setpriv", "--pdeathsig", signal.Signals.SIGTERM.name.removeprefix("SIG"))
