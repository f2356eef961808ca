"""Use cases on a tenant's certification authorities: a root, issuing CAs, OCSP responders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tegata.issuance.model import Draft, IssuedCertificate, Issuer, LinkKind, NewAuthority
from tegata.issuance.ports import CertificateSigner, IssuanceStore, IssuanceUnit
from tegata.issuance.rules import responder_algorithm, validity_period
from tegata.issuance.service import Accompany, IssuanceService
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm, SigningKey
from tegata.pkix import oids
from tegata.pkix.der import DerError
from tegata.pkix.extensions import key_identifier
from tegata.pkix.names import encode_name, name_text, parse_name
from tegata.profiles.authority import AuthorityBounds, bounded_profile
from tegata.profiles.catalogue import ISSUING_CA, OCSP_RESPONDER, ROOT_CA, SUBORDINATE_CA
from tegata.profiles.model import IssuerFacts, Profile

# A responder's certificate is replaced when this much of its life is left.
RESPONDER_RENEWAL = timedelta(days=10)
_NO_REQUEST = bytes(32)
_PROFILES = {
    KeyPurpose.ROOT_CA: ROOT_CA,
    KeyPurpose.SUBORDINATE_CA: SUBORDINATE_CA,
    KeyPurpose.ISSUING_CA: ISSUING_CA,
}


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
        new = NewAuthority(
            f"{organization} Root CA",
            KeyPurpose.ROOT_CA,
            _ca_subject(organization, "Root CA"),
            algorithm,
            signature_algorithm,
        )
        return await self.establish(scope, None, new)

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
        new = NewAuthority(
            f"{organization} Issuing CA",
            KeyPurpose.ISSUING_CA,
            _ca_subject(organization, "Issuing CA"),
            algorithm,
            signature_algorithm,
        )
        return await self.establish(scope, parent, new)

    async def establish(
        self,
        scope: TenantScope,
        parent: Issuer | None,
        new: NewAuthority,
        digest: bytes = _NO_REQUEST,
        accompany: Accompany | None = None,
    ) -> Issuer:
        """A CA of any kind: its key, its certificate and its row. Its responder and its lists
        are to follow; the unit that records it has them wanted."""
        key = await self.create_key(scope, new)
        profile = _PROFILES[new.purpose]
        period = profile if new.validity is None else replace(profile, validity=new.validity)
        # Who asks for no period gets what the parent's leaves; who asks for too much is refused.
        end = parent.facts.not_after if parent is not None and new.validity is None else None
        not_before, not_after = validity_period(period, self.clock.now(), end)
        unborn = self._unborn(scope, parent, key, new, not_before)
        draft = _draft(
            bounded_profile(profile, new.bounds), new.subject, key, not_before, not_after
        )
        signer = parent if parent is not None else unborn
        return await self._establish(scope, signer, unborn, draft, digest, accompany)

    async def create_key(self, scope: TenantScope, new: NewAuthority) -> SigningKey:
        """A key that may sign as the new CA, and as nobody else."""
        return await self.signer.create_key(
            scope.tenant,
            new.purpose,
            new.subject,
            algorithm=new.algorithm,
            signature_algorithm=new.signature_algorithm,
            bounds=new.bounds,
        )

    async def link(
        self, scope: TenantScope, signer: Issuer, subject: Issuer, kind: LinkKind, owner: IssuerId
    ) -> None:
        """A certificate that joins two generations of a root (RFC 4210 section 4.4)."""
        now = self.clock.now()
        not_before, end = validity_period(ROOT_CA, now, signer.facts.not_after)
        if subject.facts.not_after is not None:
            end = min(end, subject.facts.not_after)
        profile = bounded_profile(ROOT_CA, subject.bounds)
        draft = _draft(profile, subject.facts.subject, subject.key, not_before, end)

        def accompany(unit: IssuanceUnit, issued: IssuedCertificate) -> None:
            unit.add_issuer_certificate(owner, kind, 0, issued.der)

        await self.issuance.issue(scope, signer, draft, _NO_REQUEST, accompany)

    async def renew_responder(self, scope: TenantScope, issuer: Issuer) -> None:
        """A new delegated OCSP responder for an issuer (RFC 6960 section 4.2.2.2)."""
        organization = _organization(issuer.facts.subject) or issuer.name
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

    def new_id(self) -> IssuerId:
        """An id for an issuer."""
        milliseconds = int(self.clock.now().timestamp() * 1000)
        octets = time_ordered(milliseconds, self.randomness.octets(10))
        return IssuerId(encode_id("iss", octets))

    def _unborn(
        self,
        scope: TenantScope,
        parent: Issuer | None,
        key: SigningKey,
        new: NewAuthority,
        not_before: datetime,
    ) -> Issuer:
        identifier = self.new_id()
        ocsp, crl, ca_issuers = self.store.issuer_urls(identifier)
        bounds = new.bounds or AuthorityBounds()
        return Issuer(
            id=identifier,
            tenant=scope.tenant,
            name=new.name,
            parent=parent.id if parent is not None else None,
            key=key,
            certificate=b"",
            chain=parent.chain if parent is not None else (),
            facts=IssuerFacts(
                new.subject,
                key_identifier(key.public_key),
                None,
                key.signature_algorithm,
                bounds.every_constraint,
                0 if new.purpose is KeyPurpose.ISSUING_CA else bounds.path_length,
            ),
            not_before=not_before,
            ocsp_url=ocsp,
            crl_url=crl,
            ca_issuers_url=ca_issuers,
            bounds=new.bounds,
            predecessor=new.predecessor,
            ancestors=(parent.id, *parent.ancestors) if parent is not None else (),
        )

    async def _establish(
        self,
        scope: TenantScope,
        signer: Issuer,
        unborn: Issuer,
        draft: Draft,
        digest: bytes,
        more: Accompany | None,
    ) -> Issuer:
        now = self.clock.now()

        def born(certificate: bytes) -> Issuer:
            return replace(
                unborn,
                certificate=certificate,
                chain=(certificate, *unborn.chain),
                facts=replace(unborn.facts, not_after=draft.not_after),
                not_before=draft.not_before,
            )

        def accompany(unit: IssuanceUnit, issued: IssuedCertificate) -> None:
            unit.add_signing_key(unborn.key, now)
            unit.add_issuer(born(issued.der), now)
            unit.want_issuer_work(unborn.id, now)
            unit.audit(issuer_event(scope, "create", unborn.id, digest, {"name": unborn.name}))
            if more is not None:
                more(unit, issued)

        issued = await self.issuance.issue(scope, signer, draft, digest, accompany)
        return born(issued.der)


def issuer_event(
    scope: TenantScope, act: str, issuer: IssuerId, digest: bytes, private: dict[str, str]
) -> AuditEvent:
    """What the record says of an act on an issuer."""
    return AuditEvent(
        actor=scope.actor,
        action=f"issuance:issuer:{act}",
        decision=Decision.ALLOWED,
        subject=f"issuer:{issuer}",
        request_digest=digest,
        private=private,
    )


def _organization(subject: bytes) -> str | None:
    try:
        rdns = parse_name(subject)
    except DerError:
        return None  # a CA that was taken over may be called in a way that we would not
    given = {each.attribute_type: each.value for rdn in rdns for each in rdn}
    return given.get(oids.ORGANIZATION)


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
