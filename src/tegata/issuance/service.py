"""Use cases of issuance: certificates, and what a restart must settle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tegata.issuance.gate import IssuanceGate
from tegata.issuance.model import (
    Draft,
    IssuedCertificate,
    Issuer,
    Linted,
    Reserved,
    Signed,
    VoidSerial,
)
from tegata.issuance.ports import CertificateSigner, IssuanceStore, IssuanceUnit, OpenBlock
from tegata.issuance.reserve import SerialReserve
from tegata.issuance.rules import (
    CertificateTemplate,
    lint_draft,
    require_within_issuer,
    template_key,
    under_serial,
)
from tegata.issuance.serials import serial_text
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import BlockId, NodeId, TenantId, encode_certificate_id, time_ordered
from tegata.kernel.month import expiry_month
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.pkix.certificate import assemble
from tegata.pkix.signatures import SignatureInvalid, verify

_CACHE = 1024

# Writes that a caller wants in the transaction that records the certificate.
Accompany = Callable[[IssuanceUnit, IssuedCertificate], None]


@dataclass(frozen=True, slots=True)
class IssuanceService:
    """Issues certificates: lint, reserve, sign, verify, record, release (ARCHITECTURE.md
    section 3)."""

    store: IssuanceStore
    signer: CertificateSigner
    serials: SerialReserve
    clock: Clock
    randomness: Randomness
    gate: IssuanceGate = field(default_factory=IssuanceGate)
    _templates: OrderedDict[tuple[object, ...], CertificateTemplate] = field(
        default_factory=OrderedDict
    )

    async def issue(
        self,
        scope: TenantScope,
        issuer: Issuer,
        draft: Draft,
        request_digest: bytes,
        accompany: Accompany | None = None,
    ) -> IssuedCertificate:
        """Issue one certificate; it is durable and audited before this returns."""
        if not draft.profile.ocsp_no_check:
            # The status of what was issued goes on; a responder is part of that.
            self.gate.require_open(issuer, self.clock.now())
        # What could not be recorded must not be signed.
        self.store.require_room()
        linted = self._lint(issuer, draft)
        place = await self.serials.take(issuer, expiry_month(draft.not_after))
        reserved = under_serial(linted, place, issuer.facts)
        signed = await self._sign(issuer, reserved)
        return await self._record(scope, issuer, signed, request_digest, accompany)

    async def _sign(self, issuer: Issuer, reserved: Reserved) -> Signed:
        place = reserved.place
        try:
            signature = await self.signer.sign_certificate(
                issuer.key,
                reserved.linted.draft.profile,
                reserved.tbs,
                place.block.id,
                place.counter,
            )
        except Problem as problem:
            if problem.code is ProblemCode.LINT_REFUSED:
                # The signer lints before it uses a serial: this one is still free.
                self.serials.give_back(issuer, place)
            # A new run of the signer knows none of the old one's blocks.
            if problem.code in (ProblemCode.SIGNER_UNAVAILABLE, ProblemCode.SERIAL_NOT_RESERVED):
                self.serials.forget()
                raise Problem(ProblemCode.SIGNER_UNAVAILABLE, "try again") from problem
            raise
        algorithm = issuer.key.signature_algorithm
        try:
            verify(issuer.key.public_key, algorithm, signature, reserved.tbs)
        except SignatureInvalid as error:
            # A key store that signs wrongly must never be heard of outside.
            raise Problem(
                ProblemCode.SIGNER_UNAVAILABLE, "the signature does not verify"
            ) from error
        return Signed(reserved, assemble(reserved.tbs, algorithm, signature))

    async def _record(
        self,
        scope: TenantScope,
        issuer: Issuer,
        signed: Signed,
        request_digest: bytes,
        accompany: Accompany | None,
    ) -> IssuedCertificate:
        draft = signed.reserved.linted.draft
        place = signed.reserved.place
        now = self.clock.now()
        octets = time_ordered(
            int(now.timestamp() * 1000), self.randomness.octets(10), place.block.month
        )
        certificate = IssuedCertificate(
            id=encode_certificate_id(octets),
            tenant=issuer.tenant,
            issuer=issuer.id,
            serial=place.serial,
            profile=draft.profile.name,
            profile_version=draft.profile.version,
            subject=draft.subject_text,
            not_before=draft.not_before,
            not_after=draft.not_after,
            der=signed.der,
            shard=place.shard,
        )
        async with self.store.open_unit(scope) as unit:
            unit.add_certificate(octets, certificate, draft.names)
            unit.audit(_issued(scope, certificate, draft, request_digest))
            if accompany is not None:
                accompany(unit, certificate)
            await unit.commit()
        return certificate

    def _lint(self, issuer: Issuer, draft: Draft) -> Linted:
        """Lint a draft by its shape: the first of each template goes through every rule here.

        What differs between certificates of a template is linted by the signer, on the very
        octets that it signs, and before it signs them.
        """
        key = (issuer.id, issuer.ocsp_url, *template_key(draft))
        template = self._templates.get(key)
        if template is not None:
            # The one rule of the rest that the signer cannot apply: it knows no issuer's end.
            require_within_issuer(draft, issuer.facts)
            return Linted(draft, template.extensions)
        template = CertificateTemplate(draft.profile, issuer, draft.public_key)
        linted = lint_draft(draft, template, issuer)
        self._templates[key] = template
        if len(self._templates) > _CACHE:
            self._templates.popitem(last=False)
        return linted

    async def settle_blocks(
        self, tenant: TenantId, node: NodeId, used: Mapping[BlockId, Collection[int]] | None = None
    ) -> int:
        """Close the blocks that this node left open; the number of serials voided.

        A serial of such a block without a certificate row may have been signed by a run that
        died before recording it, so it becomes void: revoked, should it ever turn up. `used`
        says which serials of a block were given out, when that is known.
        """
        scope = platform_acts(tenant, "serials")
        voided = 0
        for left in await self.store.open_blocks(scope, node):
            every = range(left.block.size)
            given_out = every if used is None else used.get(left.block.id, every)
            try:
                voided += await self._settle(scope, left, given_out)
            except Problem as problem:
                if problem.code is not ProblemCode.CONFLICT:
                    raise
                # A commit of the run that died stands since we looked; it was its last.
                voided += await self._settle(scope, left, given_out)
        return voided

    async def _settle(self, scope: TenantScope, left: OpenBlock, given_out: Iterable[int]) -> int:
        block = left.block
        serials = [block.serial(counter) for counter in given_out]
        recorded = await self.store.recorded_serials(scope, left.issuer, block.month, serials)
        void = [serial for serial in serials if serial not in recorded]
        now = self.clock.now()
        async with self.store.open_unit(scope) as unit:
            for serial in void:
                unit.add_void_serial(VoidSerial(left.issuer, serial, block.month, left.shard), now)
            if void:
                unit.want_crls(left.issuer, left.shard, now)
            unit.close_serial_block(block.id, now)
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="issuance:serial-block:close",
                    decision=Decision.ALLOWED,
                    subject=f"serial-block:{block.id}",
                    request_digest=bytes(32),
                    private={"void": str(len(void))},
                )
            )
            await unit.commit()
        return len(void)


def _issued(
    scope: TenantScope, certificate: IssuedCertificate, draft: Draft, request_digest: bytes
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action="issuance:certificate:issue",
        decision=Decision.ALLOWED,
        subject=f"certificate:{certificate.id}",
        request_digest=request_digest,
        private={
            "serial": serial_text(certificate.serial),
            "subject": certificate.subject,
            "names": " ".join(f"{name.kind}:{name.value}" for name in draft.names),
        },
    )
