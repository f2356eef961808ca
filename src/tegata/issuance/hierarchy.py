"""Use cases on a tenant's certification authorities: a root, issuing CAs, OCSP responders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tegata.issuance.model import Draft, IssuedCertificate, Issuer
from tegata.issuance.ports import CertificateSigner, IssuanceStore, IssuanceUnit
from tegata.issuance.rules import responder_algorithm, validity_period
from tegata.issuance.service import IssuanceService
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix import oids
from tegata.pkix.extensions import key_identifier
from tegata.pkix.names import encode_name, name_text, parse_name
from tegata.profiles.catalogue import ISSUING_CA, OCSP_RESPONDER, ROOT_CA
from tegata.profiles.model import IssuerFacts, Profile

# A responder's certificate is replaced when this much of its life is left.
RESPONDER_RENEWAL = timedelta(days=10)
_NO_REQUEST = bytes(32)


@dataclass(frozen=True, slots=True)
class HierarchyService:
    """Makes and renews what issues certificates and answers for them."""

    store: IssuanceStore
    signer: CertificateSigner
    issuance: IssuanceService
    clock: Clock
    randomness: Randomness

    async def create_root(
        self,
        scope: TenantScope,
        organization: str,
        algorithm: KeyAlgorithm = KeyAlgorithm.P256,
        signature_algorithm: SignatureAlgorithm | None = None,
    ) -> Issuer:
        """A root: a self-signed CA whose key signs CAs and nothing else.

        The algorithms are its key's for life; without the second it is the first's usual one.
        Raises `Problem(key.algorithm-refused)` when they do not go together, or the key store
        does not do them.
        """
        subject = _ca_subject(organization, "Root CA")
        key = await self.signer.create_key(
            scope.tenant,
            KeyPurpose.ROOT_CA,
            subject,
            algorithm=algorithm,
            signature_algorithm=signature_algorithm,
        )
        not_before, not_after = validity_period(ROOT_CA, self.clock.now(), None)
        root = self._unborn(scope, f"{organization} Root CA", None, key, subject, not_before)
        draft = _draft(ROOT_CA, subject, key, not_before, not_after)
        return await self._establish(scope, root, root, draft)

    async def create_issuing_ca(
        self,
        scope: TenantScope,
        parent: Issuer,
        organization: str,
        algorithm: KeyAlgorithm = KeyAlgorithm.P256,
        signature_algorithm: SignatureAlgorithm | None = None,
    ) -> Issuer:
        """An issuing CA below `parent`; its key signs end-entity certificates only.

        Its algorithms are as for a root, and need not be its parent's.
        """
        subject = _ca_subject(organization, "Issuing CA")
        key = await self.signer.create_key(
            scope.tenant,
            KeyPurpose.ISSUING_CA,
            subject,
            algorithm=algorithm,
            signature_algorithm=signature_algorithm,
        )
        not_before, not_after = validity_period(
            ISSUING_CA, self.clock.now(), parent.facts.not_after
        )
        issuing = self._unborn(
            scope, f"{organization} Issuing CA", parent, key, subject, not_before
        )
        draft = _draft(ISSUING_CA, subject, key, not_before, not_after)
        return await self._establish(scope, parent, issuing, draft)

    async def renew_responder(self, scope: TenantScope, issuer: Issuer) -> None:
        """A new delegated OCSP responder for an issuer (RFC 6960 section 4.2.2.2)."""
        name = parse_name(issuer.facts.subject)
        organization = next(
            each.value for rdn in name for each in rdn if each.attribute_type == oids.ORGANIZATION
        )
        now = self.clock.now()
        subject = _ca_subject(organization, f"OCSP {now:%Y%m%d%H%M%S}")
        authority = issuer.facts.subject, issuer.key.public_key
        key = await self.signer.create_key(
            scope.tenant,
            KeyPurpose.OCSP_RESPONDER,
            subject,
            authority,
            responder_algorithm(issuer.key.algorithm),
        )
        not_before, not_after = validity_period(OCSP_RESPONDER, now, issuer.facts.not_after)
        draft = _draft(OCSP_RESPONDER, subject, key, not_before, not_after)

        def accompany(unit: IssuanceUnit, issued: IssuedCertificate) -> None:
            unit.add_signing_key(key, now)
            unit.add_responder(issuer.id, key, issued.der, issued.not_after, now)

        await self.issuance.issue(scope, issuer, draft, _NO_REQUEST, accompany)

    def _unborn(
        self,
        scope: TenantScope,
        name: str,
        parent: Issuer | None,
        key: SigningKey,
        subject: bytes,
        not_before: datetime,
    ) -> Issuer:
        milliseconds = int(self.clock.now().timestamp() * 1000)
        identifier = encode_id("iss", time_ordered(milliseconds, self.randomness.octets(10)))
        ocsp, crl, ca_issuers = self.store.issuer_urls(IssuerId(identifier))
        return Issuer(
            id=IssuerId(identifier),
            tenant=scope.tenant,
            name=name,
            parent=parent.id if parent is not None else None,
            key=key,
            certificate=b"",
            chain=parent.chain if parent is not None else (),
            facts=IssuerFacts(
                subject, key_identifier(key.public_key), None, key.signature_algorithm
            ),
            not_before=not_before,
            ocsp_url=ocsp,
            crl_url=crl,
            ca_issuers_url=ca_issuers,
        )

    async def _establish(
        self, scope: TenantScope, signer: Issuer, unborn: Issuer, draft: Draft
    ) -> Issuer:
        now = self.clock.now()

        def born(certificate: bytes) -> Issuer:
            return Issuer(
                id=unborn.id,
                tenant=unborn.tenant,
                name=unborn.name,
                parent=unborn.parent,
                key=unborn.key,
                certificate=certificate,
                chain=(certificate, *unborn.chain),
                facts=replace(unborn.facts, not_after=draft.not_after),
                not_before=draft.not_before,
                ocsp_url=unborn.ocsp_url,
                crl_url=unborn.crl_url,
                ca_issuers_url=unborn.ca_issuers_url,
            )

        def accompany(unit: IssuanceUnit, issued: IssuedCertificate) -> None:
            unit.add_signing_key(unborn.key, now)
            unit.add_issuer(born(issued.der), now)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="issuance:issuer:create",
                    decision=Decision.ALLOWED,
                    subject=f"issuer:{unborn.id}",
                    request_digest=_NO_REQUEST,
                    private={"name": unborn.name},
                )
            )

        issued = await self.issuance.issue(scope, signer, draft, _NO_REQUEST, accompany)
        return born(issued.der)


def _ca_subject(organization: str, role: str) -> bytes:
    # 64 characters is the bound of both attributes (RFC 5280 appendix A.1).
    common_name = f"{organization[: 63 - len(role)]} {role}"
    return encode_name([(oids.ORGANIZATION, organization[:64]), (oids.COMMON_NAME, common_name)])


def _draft(
    profile: Profile, subject: bytes, key: SigningKey, not_before: datetime, not_after: datetime
) -> Draft:
    return Draft(
        profile=profile,
        subject=subject,
        subject_text=name_text(parse_name(subject)),
        public_key=key.public_key,
        names=(),
        not_before=not_before,
        not_after=not_after,
    )
