"""Consents to be told a person's latest four attributes: obtain, inquire, withdraw, use.

A consent is a document that the person signed in a session of its own. J-LIS holds it; what is kept
here is whose it is, for which declared purpose, and J-LIS's name of it, sealed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from tegata.identity.consent import Consent, ConsentId
from tegata.identity.jlis import (
    CertificateKind,
    ConsentState,
    ConsentStatus,
    GatewayCause,
    GatewayError,
    LatestAttributes,
    LegalPurpose,
    SignedConsent,
)
from tegata.identity.model import (
    Binding,
    SessionId,
    SignatureForm,
    Submission,
    VerdictResult,
)
from tegata.identity.ports import IdentityStore, JLisGateway
from tegata.identity.rules.signature import signature_fault
from tegata.identity.service import only
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.der import DerError
from tegata.pkix.jpki import parse_jpki_certificate


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """What a person signed in a session whose document was the consent's text."""

    session: SessionId
    text: str
    certificate: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ConsentService:
    """Consents. Without a gateway there are none."""

    store: IdentityStore
    gateway: JLisGateway | None
    clock: Clock
    randomness: Randomness

    async def obtain(
        self, scope: TenantScope, given: GivenConsent, request_digest: bytes
    ) -> Consent:
        """Have a consent held by J-LIS.

        Raises `Problem`: session.unknown, consent.refused, gateway.unavailable.
        """
        gateway = self._gateway()
        session = await self.store.find_session(scope, given.session)
        if session is None:
            raise Problem(ProblemCode.SESSION_UNKNOWN, "no such session")
        verified = session.verdict is not None and (
            session.verdict.result is VerdictResult.VERIFIED
        )
        asked = session.asked
        fits = asked.kind is CertificateKind.SIGN and asked.binding is Binding.INTENT
        if not verified or not fits or session.user is None:
            raise Problem(ProblemCode.CONSENT_REFUSED, "a consent needs a verified signature")
        if asked.document != hashlib.sha256(given.text.encode()).digest():
            raise Problem(ProblemCode.CONSENT_REFUSED, "the session signed another text")
        submission = Submission(given.certificate, given.signature, SignatureForm.RAW)
        try:
            certificate = parse_jpki_certificate(given.certificate)
        except DerError as error:
            raise Problem(ProblemCode.CONSENT_REFUSED, "not a certificate") from error
        if signature_fault(session, submission, certificate) is not None:
            raise Problem(ProblemCode.CONSENT_REFUSED, "not what the session signed")
        signed = SignedConsent(
            given.text.encode(), session.intent, given.signature, given.certificate
        )
        try:
            status = await gateway.register_consent(signed)
        except GatewayError as error:
            raise _problem(error) from error
        now = self.clock.now()
        octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
        consent = Consent(
            ConsentId(encode_id("cns", octets)), session.user, asked.purpose, status.id,
            status.state, status.given_at, status.expires_at, status.withdrawn_at,
        )  # fmt: skip
        async with self.store.open_identity_unit(scope) as unit:
            unit.add_consent(consent)
            unit.audit(_event(scope, "obtain", consent, request_digest, {}))
            await unit.commit()
        return consent

    async def inquire(
        self, scope: TenantScope, identifier: ConsentId, request_digest: bytes
    ) -> Consent:
        """A consent as J-LIS holds it now."""
        gateway = self._gateway()
        consent = await self._get(scope, identifier)
        try:
            status = await gateway.find_consent(consent.reference)
        except GatewayError as error:
            raise _problem(error) from error
        return await self._keep(scope, consent, status, "inquire", request_digest)

    async def withdraw(
        self, scope: TenantScope, identifier: ConsentId, request_digest: bytes
    ) -> Consent:
        """End a consent; asking again changes nothing."""
        gateway = self._gateway()
        consent = await self._get(scope, identifier)
        try:
            status = await gateway.withdraw_consent(consent.reference)
        except GatewayError as error:
            raise _problem(error) from error
        return await self._keep(scope, consent, status, "withdraw", request_digest)

    async def latest_attributes(
        self, scope: TenantScope, identifier: ConsentId, request_digest: bytes
    ) -> LatestAttributes:
        """The person's attributes of today: those that the declared purpose asks for.

        Raises `Problem`: consent.unknown, consent.refused (withdrawn or expired),
        attributes.not-asked, gateway.unavailable.
        """
        gateway = self._gateway()
        consent = await self._get(scope, identifier)
        purpose = await self.store.find_purpose(scope, consent.purpose)
        if purpose is None or not purpose.attributes:
            raise Problem(ProblemCode.ATTRIBUTES_NOT_ASKED, "the purpose asks for none")
        if consent.state is not ConsentState.ACTIVE or self.clock.now() >= consent.expires_at:
            raise Problem(ProblemCode.CONSENT_REFUSED, f"the consent is {consent.state}")
        try:
            latest = await gateway.latest_attributes(consent.reference)
        except GatewayError as error:
            raise _problem(error) from error
        private = {
            "attributes": " ".join(sorted(purpose.attributes)),
            "legal_purpose": LegalPurpose.ATTRIBUTES_WITH_CONSENT.value,
        }
        async with self.store.open_identity_unit(scope) as unit:
            unit.audit(_event(scope, "latest-attributes", consent, request_digest, private))
            await unit.commit()
        return LatestAttributes(only(latest.attributes, purpose.attributes), latest.as_of)

    async def _get(self, scope: TenantScope, identifier: ConsentId) -> Consent:
        found = await self.store.find_identity_consent(scope, identifier)
        if found is None:
            raise Problem(ProblemCode.CONSENT_UNKNOWN, "no such consent")
        return found

    async def _keep(
        self,
        scope: TenantScope,
        consent: Consent,
        status: ConsentStatus,
        act: str,
        request_digest: bytes,
    ) -> Consent:
        changed = replace(consent, state=status.state, withdrawn_at=status.withdrawn_at)
        async with self.store.open_identity_unit(scope) as unit:
            unit.set_consent_state(changed)
            unit.audit(_event(scope, act, consent, request_digest, {"state": status.state}))
            await unit.commit()
        return changed

    def _gateway(self) -> JLisGateway:
        if self.gateway is None:
            raise Problem(ProblemCode.GATEWAY_UNAVAILABLE, "no gateway to J-LIS is configured")
        return self.gateway


def _problem(error: GatewayError) -> Problem:
    if error.cause in (GatewayCause.REFUSED, GatewayCause.NOT_FOUND):
        return Problem(ProblemCode.CONSENT_REFUSED, "J-LIS does not take it")
    return Problem(ProblemCode.GATEWAY_UNAVAILABLE, "ask again later")


def _event(
    scope: TenantScope, act: str, consent: Consent, request_digest: bytes, private: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"identity:consent:{act}",
        decision=Decision.ALLOWED,
        subject=f"consent:{consent.id}",
        request_digest=request_digest,
        private=private,
    )
