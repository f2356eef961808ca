"""What identity verification keeps sealed, and the tenant's keyed tags and pseudonyms."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tegata.identity.jlis import CertificateReference
from tegata.identity.model import Check, DeclaredPurpose, NewSession, Session, SessionId, UserId
from tegata.identity.record import Evidence, KnownCertificate
from tegata.kernel.ids import encode_id
from tegata.kernel.signing import TenantSecret

_CHECKS = msgspec.json.Decoder(tuple[Check, ...])
_EVIDENCE = msgspec.msgpack.Decoder(Evidence)


class SealedSession(msgspec.Struct, array_like=True):
    """What of a session could identify somebody, or must not be known."""

    asked: NewSession
    declared: DeclaredPurpose
    challenge: bytes
    intent: bytes


class SealedCertificate(msgspec.Struct, array_like=True):
    """A certificate that a tag stands for."""

    reference: CertificateReference
    point: bytes


_SESSION = msgspec.msgpack.Decoder(SealedSession)
_CERTIFICATE = msgspec.msgpack.Decoder(SealedCertificate)


def encode_checks(checks: object) -> str:
    """Checks as text: no check names a person."""
    return msgspec.json.encode(checks).decode()


def decode_checks(text: str) -> tuple[Check, ...]:
    """Checks from their text."""
    return _CHECKS.decode(text)


@dataclass(frozen=True, slots=True)
class Vault:
    """A tenant's erasable and confirmation data keys, in use."""

    erasable: TenantSecret
    confirmation: TenantSecret

    def tag(self, reference: CertificateReference) -> bytes:
        """A keyed commitment to a certificate."""
        return self.erasable.pseudonym(_canonical(reference), "identity_certificate.tag")

    def user_id(self, oldest: CertificateReference) -> UserId:
        """The pseudonym of a person: 128 bits."""
        octets = self.erasable.pseudonym(_canonical(oldest), "identity_certificate.person")
        return UserId(encode_id("usr", octets[:16]))

    def case_tag(self, case: str) -> bytes:
        """What finds a case's records without saying whose they are. Under the confirmation key,
        because records outlive what is erasable."""
        return self.confirmation.pseudonym(case.encode(), "confirmation_record.case_tag")

    def seal_session(self, session: Session) -> bytes:
        """The part of a session that is sealed."""
        part = SealedSession(session.asked, session.declared, session.challenge, session.intent)
        return self.erasable.seal(
            msgspec.msgpack.encode(part), f"identity_session.sealed|{session.id}"
        )

    def open_session(self, identifier: SessionId, sealed: bytes) -> SealedSession:
        """The sealed part of a session."""
        return _SESSION.decode(
            self.erasable.unseal(sealed, f"identity_session.sealed|{identifier}")
        )

    def seal_certificate(self, known: KnownCertificate) -> bytes:
        """What a tag stands for."""
        part = SealedCertificate(known.reference, known.point)
        return self.erasable.seal(
            msgspec.msgpack.encode(part), f"identity_certificate.sealed|{known.tag.hex()}"
        )

    def open_certificate(self, tag: bytes, sealed: bytes) -> SealedCertificate:
        """What a tag stands for."""
        return _CERTIFICATE.decode(
            self.erasable.unseal(sealed, f"identity_certificate.sealed|{tag.hex()}")
        )

    def seal_text(self, table: str, identifier: str, text: str) -> bytes:
        """A text of a row."""
        return self.erasable.seal(text.encode(), f"{table}.sealed|{identifier}")

    def open_text(self, table: str, identifier: str, sealed: bytes) -> str:
        """A text of a row."""
        return self.erasable.unseal(sealed, f"{table}.sealed|{identifier}").decode()

    def seal_evidence(self, record: str, evidence: Evidence) -> bytes:
        """A record's evidence."""
        return self.confirmation.seal(
            msgspec.msgpack.encode(evidence), f"confirmation_record.sealed|{record}"
        )

    def open_evidence(self, record: str, sealed: bytes) -> Evidence:
        """A record's evidence."""
        return _EVIDENCE.decode(
            self.confirmation.unseal(sealed, f"confirmation_record.sealed|{record}")
        )


def _canonical(reference: CertificateReference) -> bytes:
    """Octets that are another certificate's for no other certificate."""
    key = reference.authority_key_id
    return b"%s|%d|%s|%d" % (reference.kind.encode(), len(key), key, reference.serial)
