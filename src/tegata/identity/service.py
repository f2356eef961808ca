"""Use cases of sessions: open one, take what was signed, look at it, hand out attributes once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tegata.identity.jlis import (
    CertificateKind,
    FourAttributes,
    Holder,
    LegalPurpose,
)
from tegata.identity.model import (
    SESSION_LIFE,
    Attribute,
    Binding,
    Check,
    CheckName,
    NewSession,
    Outcome,
    RecordId,
    Session,
    SessionId,
    SessionState,
    Submission,
    Verdict,
    VerdictResult,
)
from tegata.identity.ports import IdentityStore
from tegata.identity.reasons import Reason
from tegata.identity.record import ConfirmationRecord, Evidence, Step
from tegata.identity.rules.law import Law, MethodCode, find_method
from tegata.identity.rules.my_number import has_my_number
from tegata.identity.rules.session import require_session, require_submission
from tegata.identity.rules.verdict import conclude
from tegata.identity.users import Person, UserService
from tegata.identity.verification import Examined, Verification
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.intent import (
    CHALLENGE_OCTETS,
    Intent,
    IntentInvalid,
    IntentPurpose,
    encode_intent,
)

_LEGAL_PURPOSE = {
    CertificateKind.SIGN: LegalPurpose.SIGNATURE_VERIFICATION,
    CertificateKind.AUTH: LegalPurpose.USER_AUTHENTICATION,
}
_INTENT_PURPOSE = {
    CertificateKind.SIGN: IntentPurpose.SIGN,
    CertificateKind.AUTH: IntentPurpose.AUTHENTICATE,
}
_METHOD = {
    CertificateKind.SIGN: MethodCode.JPKI_SIGN,
    CertificateKind.AUTH: MethodCode.JPKI_AUTH,
}
_DOCUMENT = {
    CertificateKind.SIGN: "署名用電子証明書",
    CertificateKind.AUTH: "利用者証明用電子証明書",
}


@dataclass(frozen=True, slots=True)
class IdentityService:
    """Sessions. `verification` is None where the platform has no way to ask J-LIS."""

    store: IdentityStore
    verification: Verification | None
    users: UserService | None
    clock: Clock
    randomness: Randomness

    async def open_session(
        self, scope: TenantScope, asked: NewSession, request_digest: bytes
    ) -> Session:
        """Open a session with a challenge of its own.

        Raises `Problem`: purpose.unknown, session.refused, text.my-number.
        """
        require_session(asked)
        declared = await self.store.find_purpose(scope, asked.purpose)
        if declared is None:
            raise Problem(ProblemCode.PURPOSE_UNKNOWN, "declare the purpose first")
        now = self.clock.now()
        identifier = SessionId(self._new_id("ivs", now))
        challenge = self.randomness.octets(CHALLENGE_OCTETS)
        intent = b""
        if asked.binding is Binding.INTENT:
            intent = _intent(asked, identifier, challenge)
        session = Session(
            identifier, asked, declared, _LEGAL_PURPOSE[asked.kind], challenge, intent,
            SessionState.OPEN, now, now + SESSION_LIFE,
        )  # fmt: skip
        async with self.store.open_identity_unit(scope) as unit:
            unit.add_session(session)
            unit.audit(session_event(scope, "open", identifier, request_digest, Decision.ALLOWED))
            await unit.commit()
        return session

    async def get_session(self, scope: TenantScope, identifier: SessionId) -> Session:
        """A session, or `Problem(session.unknown)`."""
        found = await self.store.find_session(scope, identifier)
        if found is None:
            raise Problem(ProblemCode.SESSION_UNKNOWN, "no such session")
        return found

    async def submit(
        self,
        scope: TenantScope,
        identifier: SessionId,
        submission: Submission,
        request_digest: bytes,
    ) -> Session:
        """Take what was signed for a session; the session with its verdict.

        A session takes one submission, whatever comes of it. Raises `Problem`: session.unknown,
        session.expired, session.already-decided, submission.mismatch, gateway.unavailable.
        """
        if self.verification is None or self.users is None:
            raise Problem(ProblemCode.GATEWAY_UNAVAILABLE, "no gateway to J-LIS is configured")
        session = await self.get_session(scope, identifier)
        received_at = self.clock.now()
        state = session.state_at(received_at)
        if state is not SessionState.OPEN:
            code = (
                ProblemCode.SESSION_DECIDED
                if state is SessionState.DECIDED
                else ProblemCode.SESSION_EXPIRED
            )
            raise Problem(code, "open a new session")
        require_submission(session, submission)
        examined = await self.verification.examine(session, submission)
        verdict = conclude([*examined.checks, *_text_checks(session, received_at)], received_at)
        vault = await self.store.identity_vault(scope)
        person = None
        if verdict.result is not VerdictResult.REFUSED:
            person = await self.users.identify(scope, vault, examined, session.legal_purpose)
        return await self._decide(
            scope, session, examined, verdict, person, received_at, request_digest
        )

    async def _decide(
        self,
        scope: TenantScope,
        session: Session,
        examined: Examined,
        verdict: Verdict,
        person: Person | None,
        received_at: datetime,
        request_digest: bytes,
    ) -> Session:
        now = self.clock.now()
        record = None
        if person is not None:
            record = self._record(scope, session, examined, verdict, person, received_at)
        decided = replace(
            session,
            state=SessionState.DECIDED,
            verdict=verdict,
            decided_at=now,
            user=person.user if person is not None else None,
            record=record.id if record is not None else None,
        )
        verified = verdict.result is VerdictResult.VERIFIED
        async with self.store.open_identity_unit(scope) as unit:
            unit.decide_session(decided)
            if person is not None:
                for certificate in person.new:
                    unit.add_known_certificate(certificate)
            if record is not None:
                unit.add_record(record)
            unit.audit(
                session_event(
                    scope,
                    "submit",
                    session.id,
                    request_digest,
                    Decision.ALLOWED if verified else Decision.REFUSED,
                    verdict.reason or "",
                    _private(session, verdict),
                )
            )
            await unit.commit()
        return decided

    def _record(
        self,
        scope: TenantScope,
        session: Session,
        examined: Examined,
        verdict: Verdict,
        person: Person,
        received_at: datetime,
    ) -> ConfirmationRecord:
        now = self.clock.now()
        asked = session.asked
        law = Law(session.declared.law)
        steps = [
            Step("session-opened", session.created_at),
            Step("certificate-and-signature-received", received_at),
            *(Step(f"checked-{each.name}", each.at) for each in verdict.checks
              if each.outcome is not Outcome.NOT_PERFORMED),
            Step("recorded", now),
        ]  # fmt: skip
        document = _DOCUMENT[asked.kind]
        if examined.holder is Holder.PHONE:
            document = f"移動端末設備用{document}"
        evidence = Evidence(
            method=find_method(law, _METHOD[asked.kind], now),
            relying_party=asked.relying_party,
            verified_by="tegata",
            recorded_by=f"{scope.actor.kind}:{scope.actor.id}",
            purpose=session.declared.text,
            case=asked.case,
            document=document,
            identifier=person.tag.hex(),
            person=examined.attributes,
            steps=steps,
            facts=asked.facts,
            checks=verdict.checks,
            legal_purpose=session.legal_purpose,
            binding=asked.binding,
            text=asked.text,
        )
        identifier = RecordId(self._new_id("cfr", now))
        return ConfirmationRecord(identifier, session.id, person.user, now, evidence)

    async def hand_out_attributes(
        self, scope: TenantScope, identifier: SessionId, request_digest: bytes
    ) -> FourAttributes:
        """The attributes that the declared purpose asks for, once; what it does not ask for is
        empty.

        Raises `Problem`: session.unknown, attributes.not-asked, attributes.handed-out.
        """
        session = await self.get_session(scope, identifier)
        asked = session.declared.attributes
        record = None
        if session.record is not None:
            record = await self.store.find_record(scope, session.record)
        verified = session.verdict is not None and (
            session.verdict.result is not VerdictResult.REFUSED
        )
        if not asked or not verified or record is None or record.evidence.person is None:
            raise Problem(ProblemCode.ATTRIBUTES_NOT_ASKED, "no attributes belong to this session")
        async with self.store.open_identity_unit(scope) as unit:
            unit.hand_out(identifier, self.clock.now())
            unit.audit(
                session_event(
                    scope,
                    "hand-out",
                    identifier,
                    request_digest,
                    Decision.ALLOWED,
                    "",
                    {"attributes": " ".join(sorted(asked))},
                )
            )
            await unit.commit()
        return only(record.evidence.person, asked)

    def _new_id(self, prefix: str, now: datetime) -> str:
        milliseconds = int(now.timestamp() * 1000)
        return encode_id(prefix, time_ordered(milliseconds, self.randomness.octets(10)))


def only(found: FourAttributes, asked: frozenset[Attribute]) -> FourAttributes:
    """The attributes that were asked for; the others empty."""
    name, address = Attribute.NAME in asked, Attribute.ADDRESS in asked
    return FourAttributes(
        name=found.name if name else "",
        address=found.address if address else "",
        birth=found.birth if Attribute.BIRTH in asked else "",
        sex=found.sex if Attribute.SEX in asked else "",
        name_substitutes=found.name_substitutes if name else "",
        address_substitutes=found.address_substitutes if address else "",
    )


def _intent(asked: NewSession, session: SessionId, challenge: bytes) -> bytes:
    try:
        return encode_intent(
            Intent(
                _INTENT_PURPOSE[asked.kind],
                asked.relying_party,
                asked.origin,
                session,
                challenge,
                asked.document,
            )
        )
    except IntentInvalid as error:
        raise Problem(ProblemCode.SESSION_REFUSED, f"{error} cannot stand in an intent") from error


def _text_checks(session: Session, now: datetime) -> Sequence[Check]:
    asked = session.asked
    texts = (asked.text, *(value for _name, value in asked.facts))
    if not any(map(has_my_number, texts)):
        return ()
    digest = hashlib.sha256("\n".join(texts).encode()).digest()
    return (Check(CheckName.TEXT, Outcome.FAIL, Reason.MY_NUMBER, "session", now, digest),)


def _private(session: Session, verdict: Verdict) -> dict[str, str]:
    return {
        "legal_purpose": session.legal_purpose,
        "result": verdict.result,
        "status_method": session.asked.method,
        "checks": " ".join(f"{each.name}:{each.outcome}" for each in verdict.checks),
    }


def session_event(
    scope: TenantScope,
    act: str,
    session: SessionId,
    request_digest: bytes,
    decision: Decision,
    code: str = "",
    private: dict[str, str] | None = None,
) -> AuditEvent:
    """An event about a session."""
    return AuditEvent(
        actor=scope.actor,
        action=f"identity:session:{act}",
        decision=decision,
        subject=f"session:{session}",
        request_digest=request_digest,
        code=code,
        private=private or {},
    )
