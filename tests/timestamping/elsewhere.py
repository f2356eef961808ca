"""A time-stamping authority of somebody else, which lies as a test wants it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.der import encode_oid
from tegata.pkix.tsp import (
    FailureInfo,
    TimeStampRequest,
    encode_rejection,
    encode_tst_info,
    message_imprint,
    parse_time_stamp_request,
    tst_info_tail,
)
from tegata.pkix.tsp_token import TokenTemplate

YEAR = timedelta(days=365)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    ca: bool = False,
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    until: timedelta = YEAR,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - YEAR)
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if not ca and purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass
class Elsewhere:
    """A root, a CA below it, and a unit; `now` is its clock."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    mode: str = "good"
    asked: int = 0
    released: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        """Make its keys and certificates."""
        instant = self.now()
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        self._root_key, self._ca_key, self._key = keys
        self.root = _certificate("Root", keys[0], "Root", keys[0], instant, ca=True)
        self._ca = _certificate("CA", keys[1], "Root", keys[0], instant, ca=True)
        self._units = {
            "": _certificate("Unit", keys[2], "CA", keys[1], instant),
            "not for stamping": _certificate(
                "Unit", keys[2], "CA", keys[1], instant,
                purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
            ),
            "for more than stamping": _certificate(
                "Unit", keys[2], "CA", keys[1], instant,
                purposes=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING),
            ),
            "no usage": _certificate("Unit", keys[2], "CA", keys[1], instant, purposes=()),
            "expired": _certificate(
                "Unit", keys[2], "CA", keys[1], instant, until=-timedelta(days=1)
            ),
        }  # fmt: skip

    @property
    def anchor(self) -> bytes:
        """Its root (DER)."""
        return self.root.public_bytes(Encoding.DER)

    def answer(self, octets: bytes) -> bytes:
        """What it answers to a request."""
        self.asked += 1
        request = parse_time_stamp_request(octets)
        match self.mode:
            case "refusing":
                return encode_rejection(FailureInfo.SYSTEM_FAILURE, "not today")
            case "garbage":
                return b"\x30\x80\x00"
            case "no token":
                return b"\x30\x05\x30\x03\x02\x01\x00"
        return self.stamp(request)

    def stamp(self, request: TimeStampRequest) -> bytes:
        """A token, false where the mode says so."""
        mode = self.mode
        imprint, nonce, instant = request.imprint.der, request.nonce, self.now()
        if mode == "another imprint":
            imprint = message_imprint(oids.SHA256, bytes(32)).der
        if mode == "another nonce":
            nonce = 1
        if mode == "no nonce":
            nonce = None
        if mode == "ahead":
            instant += timedelta(hours=1)
        if mode == "behind":
            instant -= timedelta(hours=1)
        unit = self._units.get(mode, self._units[""])
        der = [each.public_bytes(Encoding.DER) for each in (unit, self._ca, self.root)]
        template = TokenTemplate(SignatureAlgorithm.ECDSA_SHA256, der)
        info = encode_tst_info(
            policy=encode_oid("1.2.3"), imprint=imprint, serial=self.asked,
            gen_time=instant, tail=tst_info_tail(timedelta(seconds=1), ordering=False),
            nonce=nonce,
        )  # fmt: skip
        key = self._root_key if mode == "another key" else self._key
        attributes = template.attributes(info)
        if mode == "another digest":
            attributes = template.attributes(info + b"\x00")
        if mode == "another certificate":
            other = der[1:2] + der[1:]
            attributes = TokenTemplate(SignatureAlgorithm.ECDSA_SHA256, other).attributes(info)
        signature = key.sign(attributes, ec.ECDSA(hashes.SHA256()))
        return template.response(
            info, attributes, signature, certificates=mode != "no certificates"
        )


@contextmanager
def listening(authority: Elsewhere) -> Iterator[str]:
    """Its address, while it listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            octets = self.rfile.read(int(self.headers["content-length"]))
            if authority.mode == "slow":
                authority.released.wait(60)
            answer = authority.answer(octets)
            self.send_response(500 if authority.mode == "broken" else 200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        authority.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def write_root(authority: Elsewhere, file: Path) -> Path:
    """Its root in a PEM file."""
    file.write_bytes(authority.root.public_bytes(Encoding.PEM))
    return file
