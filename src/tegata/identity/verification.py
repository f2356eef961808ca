"""One submission, examined: chain, validity, usage, signature, revocation, chip, in this order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tegata.identity.jlis import CertificateKind, FourAttributes, Holder
from tegata.identity.model import (
    Binding,
    Check,
    CheckName,
    Outcome,
    Session,
    Submission,
)
from tegata.identity.reasons import Reason
from tegata.identity.rules.certificate import (
    authority_fault,
    find_authority,
    find_holder,
    read_attributes,
    usage_fault,
    validity_fault,
)
from tegata.identity.rules.chip import chip_fault
from tegata.identity.rules.signature import signature_fault
from tegata.identity.rules.trust import Authority, Trust
from tegata.identity.status import StatusSource
from tegata.identity.trust import PinnedTrust
from tegata.kernel.ports import Clock
from tegata.pkix.der import DerError
from tegata.pkix.jpki import JpkiCertificate, parse_jpki_certificate


@dataclass(slots=True)
class Examined:
    """What came of the checks so far. The certificate and what is in it are there once its chain
    was found, the attributes once its usage was."""

    checks: list[Check] = field(default_factory=list)
    certificate: JpkiCertificate | None = None
    authority: Authority | None = None
    attributes: FourAttributes | None = None
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """Examines submissions. Nothing is kept here."""

    pinned: PinnedTrust
    statuses: StatusSource
    clock: Clock

    async def examine(self, session: Session, submission: Submission) -> Examined:
        """Every check until the first that fails."""
        examined = Examined()
        trust = await self.pinned.get()
        if not self._certificate(examined, session, submission, trust):
            return examined
        certificate, authority = examined.certificate, examined.authority
        if certificate is None or authority is None:
            return examined
        fault = signature_fault(session, submission, certificate)
        evidence = hashlib.sha256(submission.signature).digest()
        if not self._note(examined, CheckName.SIGNATURE, fault, submission.form, evidence):
            return examined
        self._document(examined, session, submission)
        finding = await self.statuses.look_up(
            session.asked.method,
            authority,
            certificate.tbs.serial,
            certificate.distribution_point,
            session.legal_purpose,
        )
        at = finding.as_of or self.clock.now()
        outcome = Outcome.PASS if finding.reason is None else Outcome.FAIL
        examined.checks.append(
            Check(
                CheckName.REVOCATION, outcome, finding.reason, finding.source, at, finding.evidence
            )
        )
        if finding.reason is None:
            self._chip(examined, session, submission, trust)
        return examined

    def _certificate(
        self, examined: Examined, session: Session, submission: Submission, trust: Trust
    ) -> bool:
        evidence = hashlib.sha256(submission.certificate).digest()
        try:
            certificate = parse_jpki_certificate(submission.certificate)
        except DerError:
            malformed = Reason.CERTIFICATE_MALFORMED
            return self._note(examined, CheckName.CHAIN, malformed, "certificate", evidence)
        found = find_authority(certificate, trust)
        if isinstance(found, Reason):
            return self._note(examined, CheckName.CHAIN, found, "pinned roots", evidence)
        now = self.clock.now()
        examined.certificate, examined.authority = certificate, found
        fault = authority_fault(found, now)
        if not self._note(examined, CheckName.CHAIN, fault, _source(found), evidence):
            return False
        fault = validity_fault(certificate, now)
        if not self._note(examined, CheckName.VALIDITY, fault, "certificate", evidence):
            return False
        kind = session.asked.kind
        fault = usage_fault(certificate, found, trust, kind)
        examined.holder = find_holder(certificate, trust, kind)
        if fault is None and kind is CertificateKind.SIGN:
            attributes = read_attributes(certificate)
            if isinstance(attributes, Reason):
                fault = attributes
            else:
                examined.attributes = attributes
        source = f"{examined.holder} certificate" if examined.holder else "certificate"
        return self._note(examined, CheckName.USAGE, fault, source, evidence)

    def _document(self, examined: Examined, session: Session, submission: Submission) -> None:
        """Say what the signature was over, and who computed its digest."""
        now = self.clock.now()
        if session.asked.binding is Binding.DIGEST:
            declared = submission.structure or ""
            check = Check(
                CheckName.DOCUMENT, Outcome.NOT_PERFORMED, Reason.DIGEST_GIVEN, declared, now,
                submission.digest or b"",
            )  # fmt: skip
        else:
            signed = submission.document or session.intent
            digest = hashlib.sha256(signed).digest()
            check = Check(
                CheckName.DOCUMENT, Outcome.PASS, None, session.asked.binding, now, digest
            )
        examined.checks.append(check)

    def _chip(
        self, examined: Examined, session: Session, submission: Submission, trust: Trust
    ) -> None:
        now, chip = self.clock.now(), submission.chip
        if chip is None:
            examined.checks.append(
                Check(CheckName.CHIP, Outcome.NOT_PERFORMED, Reason.NOT_ASKED, "", now)
            )
            return
        fault = chip_fault(chip, session, trust)
        evidence = hashlib.sha256(chip.certificate + chip.chip_key + chip.chip_signature).digest()
        self._note(examined, CheckName.CHIP, fault, "card", evidence)

    def _note(
        self,
        examined: Examined,
        name: CheckName,
        fault: Reason | None,
        source: str,
        evidence: bytes,
    ) -> bool:
        outcome = Outcome.PASS if fault is None else Outcome.FAIL
        now = self.clock.now()
        examined.checks.append(Check(name, outcome, fault, source, now, evidence))
        return fault is None


def _source(authority: Authority) -> str:
    return f"{authority.kind} authority {authority.key_identifier.hex()}"
