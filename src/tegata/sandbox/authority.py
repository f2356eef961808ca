"""The stand-in of J-LIS: status by OCSP and CRL, links between certificates, latest attributes.

Its wire is our own contract (docs/reference/jlis-stand-in.md): the real one is shown only to
verifiers with an agreement. Faults are planted in `faults.json` of the sandbox's folder, so a test
can plant one under a running platform.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.kernel.ports import Clock
from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix.crl import RevocationReason
from tegata.pkix.der import DerError
from tegata.pkix.intent import IntentInvalid, document_digest, parse_intent
from tegata.pkix.ocsp import (
    CertId,
    ResponseStatus,
    SingleResponse,
    encode_ocsp_error,
    encode_ocsp_response,
    encode_response_data,
    issuer_hashes,
    parse_ocsp_request,
)
from tegata.sandbox.hierarchy import GENERATIONS, Hierarchy, Root, distribution_point
from tegata.sandbox.keys import Cabinet, SandboxError
from tegata.sandbox.people import MUNICIPALITIES, PEOPLE, Attributes, Kind, Municipality
from tegata.sandbox.register import Entry, Register

_ANSWER_LIFE = timedelta(hours=1)
_LIST_LIFE = timedelta(hours=36)
_LATE = timedelta(days=3)
_FAULTS, _CONSENTS = "faults.json", "consents.json"
_CONSENT_MAXIMUM = 64 * 1024
_CONSENT_LIFE = timedelta(days=365)


class OcspFault(StrEnum):
    """What is wrong with the responder."""

    NONE = "none"
    TRY_LATER = "tryLater"
    STALE = "stale"
    UNKNOWN = "unknown"


class CrlFault(StrEnum):
    """What is wrong with the lists."""

    NONE = "none"
    # Of one municipality none is to be had.
    GAP = "gap"
    STALE = "stale"


class Refusal(StrEnum):
    """Why the stand-in does not answer a question about a person."""

    UNKNOWN = "unknown"
    NO_CONSENT = "no-consent"
    RECORD_CLOSED = "record-closed"
    DOWN = "down"


class JLisRefusal(Exception):
    """The stand-in does not answer; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent to be told the latest attributes, as the stand-in keeps it."""

    id: str
    serial: int
    given_at: datetime
    withdrawn_at: datetime | None

    @property
    def expires_at(self) -> datetime:
        """When it ends by itself."""
        return self.given_at + _CONSENT_LIFE


class JLisStandIn:
    """Everything that J-LIS tells verifiers, about personas."""

    def __init__(self, cabinet: Cabinet, hierarchy: Hierarchy, clock: Clock) -> None:
        self._cabinet = cabinet
        self._hierarchy = hierarchy
        self._clock = clock
        self.register = Register(cabinet)

    # -------------------------------------------------------------------------- faults

    def plant(
        self,
        ocsp: OcspFault = OcspFault.NONE,
        crl: CrlFault = CrlFault.NONE,
        city: str = "",
        *,
        down: bool = False,
    ) -> None:
        """Plant faults, or take them away; `city` bounds the list's fault to one municipality,
        `down` is for everything."""
        planted: dict[str, object] = {
            "ocsp": ocsp.value,
            "crl": crl.value,
            "city": city,
            "down": down,
        }
        self._cabinet.write(_FAULTS, planted)

    def require_up(self) -> None:
        """`JLisRefusal` while it is down."""
        if self._cabinet.read(_FAULTS).get("down") is True:
            raise JLisRefusal(Refusal.DOWN)

    def _ocsp_fault(self) -> OcspFault:
        return OcspFault(str(self._cabinet.read(_FAULTS).get("ocsp", "none")))

    def _crl_fault(self, city: str) -> CrlFault:
        planted = self._cabinet.read(_FAULTS)
        if str(planted.get("city", "")) not in ("", city):
            return CrlFault.NONE
        return CrlFault(str(planted.get("crl", "none")))

    # -------------------------------------------------------------------------- status

    def ocsp(self, request: bytes) -> bytes:
        """Answer an OCSPRequest (RFC 6960): SHA-1 or SHA-256 CertIDs of one issuer, a nonce."""
        fault = self._ocsp_fault()
        if fault is OcspFault.TRY_LATER:
            return encode_ocsp_error(ResponseStatus.TRY_LATER)
        try:
            asked = parse_ocsp_request(request)
        except DerError:
            return encode_ocsp_error(ResponseStatus.MALFORMED_REQUEST)
        now = self._clock.now().replace(microsecond=0)
        roots = {self._root_of(each) for each in asked.cert_ids}
        root = roots.pop()
        # An issuer that is not ours, or whose key has ended: nobody may answer for it.
        if root is None or roots or root.certificate.not_valid_after_utc < now:
            return encode_ocsp_error(ResponseStatus.UNAUTHORIZED)
        at = now - _LATE if fault is OcspFault.STALE else now
        answers = [self._single(each, root, at, fault) for each in asked.cert_ids]
        responder = self._hierarchy.responder(root.kind, root.generation)
        public = responder.key.public_key()
        data = encode_response_data(
            responder_key=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            produced_at=at,
            responses=answers,
            nonce=asked.nonce,
        )
        signature = responder.key.sign(data, ec.ECDSA(hashes.SHA256()))
        certificate = responder.certificate.public_bytes(Encoding.DER)
        return encode_ocsp_response(data, SignatureAlgorithm.ECDSA_SHA256, signature, certificate)

    def _root_of(self, cert_id: CertId) -> Root | None:
        for root in self._hierarchy.roots():
            public = root.key.public_key()
            info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if cert_id.issuer in issuer_hashes(root.certificate.subject.public_bytes(), info):
                return root
        return None

    def _single(
        self, cert_id: CertId, root: Root, at: datetime, fault: OcspFault
    ) -> SingleResponse:
        entry = self.register.find(root.kind, cert_id.serial)
        known = (
            entry is not None
            and entry.generation == root.generation
            and fault is not OcspFault.UNKNOWN
        )
        revoked = entry.revoked if entry is not None and known else None
        return SingleResponse(cert_id.der, revoked, known, at, at + _ANSWER_LIFE)

    def crl(self, kind: Kind, generation: str, code: str) -> bytes:
        """The CRL of one municipality, by its code, of one generation; made once a day.

        `SandboxError` when there is none.
        """
        at = next((each for each in MUNICIPALITIES if each.code == code), None)
        if at is None or generation not in GENERATIONS:
            raise SandboxError(f"no list of {kind}/{generation}/{code}")
        fault = self._crl_fault(at.city)
        if fault is CrlFault.GAP:
            raise SandboxError(f"no list of {kind}/{generation}/{code} is to be had")
        today = self._clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        root = self._hierarchy.root(kind, generation)
        if fault is CrlFault.STALE:
            return self._list(root, at, today - _LATE, today - _LATE)
        return self._list(root, at, today, self._clock.now())

    def _list(self, root: Root, at: Municipality, made: datetime, until: datetime) -> bytes:
        """What was revoked until an instant, in a list that was first made at midnight."""
        point = x509.DirectoryName(distribution_point(root.kind, at.prefecture, at.city))
        partition = x509.IssuingDistributionPoint(
            [point],
            None,
            only_contains_user_certs=False,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        listed = [
            (entry.serial, *entry.revoked)
            for entry in self.register.revoked(root.kind, root.generation, at.city)
            if entry.revoked is not None and entry.revoked[0] <= until
        ]
        # One list a day, and another when something was revoked since: the second is its number.
        published = max([made, *(each for _serial, each, _reason in listed)]).replace(microsecond=0)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(root.certificate.subject)
            .last_update(published)
            .next_update(made + _LIST_LIFE)
            .add_extension(
                x509.AuthorityKeyIdentifier(root.key_identifier, None, None), critical=False
            )
            .add_extension(x509.CRLNumber(int(published.timestamp())), critical=False)
            .add_extension(partition, critical=True)
        )
        for serial, revoked_at, reason in listed:
            builder = builder.add_revoked_certificate(_listed(serial, revoked_at, reason))
        return builder.sign(root.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def revoke(self, kind: Kind, serial: int, reason: RevocationReason) -> None:
        """Revoke a persona's certificate now."""
        self.register.revoke(kind, serial, reason, self._clock.now())

    # --------------------------------------------------------------- links and attributes

    def linked(self, kind: Kind, serial: int) -> int | None:
        """The serial of the person's newest certificate of the other kind (証明書紐付け情報)."""
        entry = self._require(kind, serial)
        return self.register.current(entry.person, Kind.AUTH if kind is Kind.SIGN else Kind.SIGN)

    def every(self, kind: Kind, serial: int) -> tuple[Entry, ...]:
        """All certificates of the same person, both kinds, oldest first (新旧紐付け情報)."""
        return self.register.every(self._require(kind, serial).person)

    def give_consent(
        self, certificate: bytes, text: bytes, intent: bytes, signature: bytes
    ) -> Consent:
        """Keep a consent: an intent to sign a text, signed by a signing certificate that is good
        now."""
        try:
            signed = parse_intent(intent)
        except IntentInvalid as error:
            raise JLisRefusal(Refusal.NO_CONSENT) from error
        if not 0 < len(text) <= _CONSENT_MAXIMUM or signed.document != document_digest(text):
            raise JLisRefusal(Refusal.NO_CONSENT)
        entry = self._signer(certificate, intent, signature)
        if entry.revoked is not None:
            raise JLisRefusal(Refusal.NO_CONSENT)
        identifier = hashlib.sha256(certificate + intent).hexdigest()[:32]
        return self._keep(Consent(identifier, entry.serial, self._clock.now(), None))

    def withdraw_consent(self, identifier: str) -> Consent:
        """End a consent."""
        consent = self.find_consent(identifier)
        if consent.withdrawn_at is not None:
            return consent
        return self._keep(dataclasses.replace(consent, withdrawn_at=self._clock.now()))

    def _keep(self, consent: Consent) -> Consent:
        withdrawn = consent.withdrawn_at
        kept = {
            "serial": consent.serial,
            "given": consent.given_at.isoformat(),
            "withdrawn": None if withdrawn is None else withdrawn.isoformat(),
        }
        with self._cabinet.turn:
            self._cabinet.write(_CONSENTS, {**self._cabinet.read(_CONSENTS), consent.id: kept})
        return consent

    def find_consent(self, identifier: str) -> Consent:
        """A consent as it stands; `JLisRefusal` when there is none of that id."""
        kept = self._cabinet.read(_CONSENTS).get(identifier)
        if not isinstance(kept, dict):
            raise JLisRefusal(Refusal.UNKNOWN)
        withdrawn = kept["withdrawn"]
        return Consent(
            identifier,
            int(kept["serial"]),
            datetime.fromisoformat(kept["given"]),
            None if withdrawn is None else datetime.fromisoformat(withdrawn),
        )

    def latest_attributes(self, consent: str) -> Attributes:
        """The four attributes of who gave a consent, as the record has them now."""
        given = self.find_consent(consent)
        if given.withdrawn_at is not None or self._clock.now() >= given.expires_at:
            raise JLisRefusal(Refusal.NO_CONSENT)
        attributes = self.register.attributes(self._require(Kind.SIGN, given.serial).person)
        if attributes is None:
            raise JLisRefusal(Refusal.RECORD_CLOSED)
        return attributes

    def change_attributes(self, persona: str, attributes: Attributes) -> None:
        """Something happens in a persona's life, and by law the signing certificate ends."""
        person = PEOPLE[persona]
        self.register.change(person, attributes)
        serial = self.register.current(person, Kind.SIGN)
        if serial is not None:
            self.revoke(Kind.SIGN, serial, RevocationReason.AFFILIATION_CHANGED)

    def _require(self, kind: Kind, serial: int) -> Entry:
        entry = self.register.find(kind, serial)
        if entry is None:
            raise JLisRefusal(Refusal.UNKNOWN)
        return entry

    def _signer(self, certificate: bytes, document: bytes, signature: bytes) -> Entry:
        """Whose signing certificate signed a document, by the key of its root."""
        try:
            signer = x509.load_der_x509_certificate(certificate)
            entry = self._require(Kind.SIGN, signer.serial_number)
            signer.verify_directly_issued_by(
                self._hierarchy.root(Kind.SIGN, entry.generation).certificate
            )
            key = signer.public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise JLisRefusal(Refusal.NO_CONSENT)
            key.verify(signature, document, padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, TypeError, InvalidSignature) as error:
            raise JLisRefusal(Refusal.NO_CONSENT) from error
        return entry


def _listed(serial: int, at: datetime, reason: RevocationReason) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(serial)
        .revocation_date(at.replace(microsecond=0))
    )
    # RFC 5280 section 5.3.1: no reasonCode for unspecified.
    if reason is not RevocationReason.UNSPECIFIED:
        flag = x509.ReasonFlags[_FLAGS[reason]]
        builder = builder.add_extension(x509.CRLReason(flag), critical=False)
    return builder.build()


_FLAGS = {
    RevocationReason.KEY_COMPROMISE: "key_compromise",
    RevocationReason.CA_COMPROMISE: "ca_compromise",
    RevocationReason.AFFILIATION_CHANGED: "affiliation_changed",
    RevocationReason.SUPERSEDED: "superseded",
    RevocationReason.CESSATION_OF_OPERATION: "cessation_of_operation",
    RevocationReason.CERTIFICATE_HOLD: "certificate_hold",
    RevocationReason.REMOVE_FROM_CRL: "remove_from_crl",
    RevocationReason.PRIVILEGE_WITHDRAWN: "privilege_withdrawn",
    RevocationReason.AA_COMPROMISE: "aa_compromise",
}
