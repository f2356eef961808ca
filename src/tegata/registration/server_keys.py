"""Certificates whose key the platform makes, where the profile allows it (ADR 17).

The key is in this process's memory for one request. It leaves once, in a PKCS #12 file under the
subscriber's password, and is kept and logged nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.issuance.ports import IssuanceStore
from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm
from tegata.pkix import oids
from tegata.pkix.csr import CertificateRequest, load_request_key
from tegata.pkix.der import CertificateExtension, DerError
from tegata.pkix.names import GeneralName, encode_general_names, encode_name
from tegata.registration.profiles import ProfileService
from tegata.registration.service import EnrolmentService

# RFC 8018 has no salt for a password that can be guessed.
PASSWORD_MINIMUM, PASSWORD_MAXIMUM = 12, 128
NAMES_MAXIMUM = 100


@dataclass(frozen=True, slots=True)
class ServerKeyOrder:
    """What is asked for; `subject` are (OID, text) in order, `password` is shown nowhere."""

    issuer: IssuerId
    profile: str
    algorithm: str
    password: str = field(repr=False)
    subject: Sequence[tuple[str, str]]
    names: Sequence[GeneralName]


class SubjectKey(Protocol):
    """A subscriber's private key in memory."""

    @property
    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo (DER)."""
        ...

    async def pack(
        self, password: str, name: str, certificate: bytes, chain: Sequence[bytes]
    ) -> bytes:
        """A PKCS #12 file (RFC 7292) with key, certificate and path (DER), sealed with
        AES-256-CBC and HMAC-SHA-256 (RFC 9579 section 3 recommends no less)."""
        ...


class SubjectKeyMaker(Protocol):
    """Makes subscribers' keys."""

    async def make(self, algorithm: KeyAlgorithm) -> SubjectKey:
        """A new key."""
        ...


@dataclass(frozen=True, slots=True)
class ServerKeyService:
    """Makes the key, has it certified, and hands both over."""

    issuers: IssuanceStore
    profiles: ProfileService
    enrolment: EnrolmentService
    maker: SubjectKeyMaker

    async def issue(
        self, scope: TenantScope, order: ServerKeyOrder, request_digest: bytes
    ) -> tuple[IssuedCertificate, Issuer, bytes]:
        """A certificate, its issuer, and the PKCS #12 file, which cannot be had again.

        Raises `Problem`: key.server-side-refused, and what a request may be refused with.
        """
        issuer = await self.issuers.get_issuer(scope, order.issuer)
        profile = await self.profiles.resolve(scope, order.profile)
        if not profile.server_side_keys:
            raise _refused(f"{profile.name} does not say serverSideKeys = true")
        algorithm = _algorithm(order.algorithm)
        _require_password(order.password)
        subject, extensions = _names(order)
        key = await self.maker.make(algorithm)
        request = CertificateRequest(
            subject, key.public_key, load_request_key(key.public_key), extensions
        )
        issued = await self.enrolment.certify(scope, issuer, order.profile, request, request_digest)
        # Without the root: whoever relies on it has it from elsewhere.
        path = issuer.chain[:-1] or issuer.chain
        return issued, issuer, await key.pack(order.password, issued.subject, issued.der, path)


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.SERVER_KEY_REFUSED, detail)


def _algorithm(text: str) -> KeyAlgorithm:
    try:
        return KeyAlgorithm(text)
    except ValueError as error:
        raise _refused(f"algorithms are {', '.join(KeyAlgorithm)}") from error


def _require_password(password: str) -> None:
    if not PASSWORD_MINIMUM <= len(password) <= PASSWORD_MAXIMUM:
        raise _refused(f"a password has {PASSWORD_MINIMUM} to {PASSWORD_MAXIMUM} characters")
    if not password.isascii() or not password.isprintable():
        # RFC 7292 appendix B.1: readers do not agree about any others.
        raise _refused("a password is of printable ASCII characters")


def _names(order: ServerKeyOrder) -> tuple[bytes, dict[str, CertificateExtension]]:
    if len(order.names) > NAMES_MAXIMUM:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, f"at most {NAMES_MAXIMUM} names")
    try:
        subject = encode_name(order.subject)
        names = encode_general_names(order.names) if order.names else b""
    except (DerError, ValueError) as error:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, str(error)) from error
    if not names:
        return subject, {}
    return subject, {oids.SUBJECT_ALTERNATIVE_NAME: CertificateExtension(False, names)}
