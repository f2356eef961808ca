"""Use cases on a tenant's own certification authorities, and on what stops them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tegata.issuance.gate import IssuanceGate
from tegata.issuance.hierarchy import HierarchyService, issuer_event
from tegata.issuance.installed import request_info, require_own, verified_chain
from tegata.issuance.model import (
    Issuer,
    LinkKind,
    NewAuthority,
    PendingAuthority,
    PolicyDocument,
    Stop,
    StopCause,
)
from tegata.issuance.outline import require_outline
from tegata.issuance.ports import AuthorityStore, CertificateSigner
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm
from tegata.pkix.certificate import assemble
from tegata.pkix.extensions import key_identifier
from tegata.profiles.authority import AuthorityBounds

# What makes an issuer whole: its list is there, its recurring work is in the timetable.
Complete = Callable[[TenantScope, IssuerId], Awaitable[None]]
POLICY_MAXIMUM = 100_000


@dataclass(frozen=True, slots=True)
class AuthorityService:
    """Creates, re-keys, installs, stops and retires issuers.

    Each is one unit with the issuer's row, its key and the work that makes it whole; what a
    crash leaves undone the timetable does, and asking again finds.
    """

    store: AuthorityStore
    hierarchy: HierarchyService
    signer: CertificateSigner
    gate: IssuanceGate
    clock: Clock
    publish: Complete
    schedule: Complete

    async def create(
        self,
        scope: TenantScope,
        parent: IssuerId | None,
        new: NewAuthority,
        digest: bytes,
    ) -> Issuer:
        """A CA at any depth; it answers for itself (OCSP, CRL) before this returns.

        Asking again for the same finds it, and completes it.
        """
        above = await self.store.get_issuer(scope, parent) if parent is not None else None
        bounded = _within(above, new)
        found = await self._named(scope, new.name)
        if isinstance(found, Issuer) and found.parent == parent and _same(found, bounded):
            return await self.complete(scope, found)
        if found is not None:
            raise _exists()
        created = await self.hierarchy.establish(scope, above, bounded, digest)
        return await self.complete(scope, created)

    async def complete(self, scope: TenantScope, issuer: Issuer) -> Issuer:
        """Make whatever of an issuer is not made yet. Taking it again changes nothing."""
        if not await self.store.has_responder(scope, issuer.id):
            await self.hierarchy.renew_responder(scope, issuer)
        await self.schedule(scope, issuer.id)
        await self.publish(scope, issuer.id)
        return issuer

    async def request(
        self, scope: TenantScope, new: NewAuthority, digest: bytes
    ) -> PendingAuthority:
        """A CA that somebody else's CA is to certify: its key, and its PKCS #10."""
        if new.purpose is KeyPurpose.ROOT_CA:
            raise Problem(ProblemCode.REQUEST_MALFORMED, "nobody else signs a root")
        own = new.bounds or AuthorityBounds()
        if new.purpose is KeyPurpose.ISSUING_CA:
            own = replace(own, path_length=0)
        new = replace(new, bounds=own)
        found = await self._named(scope, new.name)
        if isinstance(found, PendingAuthority) and _same(found, new):
            return found
        if found is not None:
            raise _exists()
        return await self._request(scope, new, digest)

    async def _request(
        self, scope: TenantScope, new: NewAuthority, digest: bytes
    ) -> PendingAuthority:
        key = await self.hierarchy.create_key(scope, new)
        info = request_info(new, key)
        signature = await self.signer.sign_request(key, info)
        octets = assemble(info, key.signature_algorithm, signature)
        identifier = self.hierarchy.new_id()
        pending = PendingAuthority(
            identifier, new.name, key, new.subject, octets, new.bounds, new.predecessor
        )
        now = self.clock.now()
        async with self.store.open_unit(scope) as unit:
            unit.add_signing_key(key, now)
            unit.add_pending_issuer(pending, now)
            unit.audit(issuer_event(scope, "request", identifier, digest, {"name": new.name}))
            await unit.commit()
        return pending

    async def install(
        self, scope: TenantScope, issuer: IssuerId, chain: Sequence[bytes], digest: bytes
    ) -> Issuer:
        """Install the certificate that another CA made for a pending one; `chain` is DER, its
        own first. Installing the same again changes nothing."""
        pending = await self.store.find_pending_issuer(scope, issuer)
        if pending is None:
            installed = await self.store.get_issuer(scope, issuer)
            if not chain or installed.certificate != chain[0]:
                raise Problem(ProblemCode.CONFLICT, "the issuer has another certificate")
            return await self._succeed(scope, installed, digest)
        now = self.clock.now()
        verified = verified_chain(chain, now)
        require_own(verified, pending)
        urls = self.store.issuer_urls(issuer)
        born = verified.issuer(pending, scope.tenant, urls)
        async with self.store.open_unit(scope) as unit:
            unit.remove_pending_issuer(issuer)
            unit.add_issuer(born, now)
            for place, der in enumerate(born.chain[1:]):
                unit.add_issuer_certificate(issuer, LinkKind.ABOVE, place, der)
            unit.want_issuer_work(issuer, now)
            unit.audit(issuer_event(scope, "install", issuer, digest, {"name": born.name}))
            await unit.commit()
        return await self._succeed(scope, born, digest)

    async def _succeed(self, scope: TenantScope, new: Issuer, digest: bytes) -> Issuer:
        """Make an issuer whole, then have the generation before it issue no more."""
        await self.complete(scope, new)
        if new.predecessor is not None:
            old = await self.store.get_issuer(scope, new.predecessor)
            if StopCause.RETIRED not in self.gate.causes(old):
                await self.stop(scope, issuer_stop(scope, old.id, StopCause.RETIRED), digest)
        return new

    async def rekey(
        self,
        scope: TenantScope,
        issuer: IssuerId,
        digest: bytes,
        algorithm: KeyAlgorithm | None = None,
        signature_algorithm: SignatureAlgorithm | None = None,
    ) -> Issuer | PendingAuthority:
        """A new generation of an issuer: same name, new key; the old one is retired, and goes on
        answering for what it issued. A root's generations certify each other; that of a CA which
        is certified elsewhere waits for its certificate, and the old one issues until then.

        Asking again finds the new generation, and completes it.
        """
        old = await self.store.get_issuer(scope, issuer)
        every = await self.store.list_issuers(scope)
        new = next((each for each in every if each.predecessor == issuer), None)
        if new is None:
            pending = await self.store.list_pending_issuers(scope)
            waiting = next((each for each in pending if each.predecessor == issuer), None)
            if waiting is not None:
                return waiting
            self.gate.require_open(old, self.clock.now())
            wanted = _next_generation(old, algorithm, signature_algorithm)
            if old.parent is None and old.key.purpose is not KeyPurpose.ROOT_CA:
                return await self._request(scope, wanted, digest)
            _require_own_identifier(old)
            parent = await self.store.get_issuer(scope, old.parent) if old.parent else None
            new = await self.hierarchy.establish(scope, parent, wanted, digest)
        if old.key.purpose is KeyPurpose.ROOT_CA:
            await self._link(scope, old, new)
        return await self._succeed(scope, new, digest)

    async def _link(self, scope: TenantScope, old: Issuer, new: Issuer) -> None:
        there = await self.store.list_issuer_certificates(scope, new.id)
        kinds = {kind for kind, _der in there}
        for kind, signer, subject in (
            (LinkKind.NEW_WITH_OLD, old, new),
            (LinkKind.OLD_WITH_NEW, new, old),
        ):
            if kind not in kinds:
                # A run of the signer that did not make the subject's key must see it first.
                await self.signer.load_key(subject.key)
                await self.hierarchy.link(scope, signer, subject, kind, new.id)

    async def stop(self, scope: TenantScope, stop: Stop, digest: bytes) -> None:
        """Have something issue no more: here at once, on other nodes within seconds. Asking
        again changes nothing."""
        if await self._stands(stop):
            return
        now = self.clock.now()
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.add_stop(replace(stop, since=now))
            unit.audit(_stop_event(scope, "set", stop, digest))
            await unit.commit()
        await self.refresh()

    async def resume(self, scope: TenantScope, stop: Stop, digest: bytes) -> None:
        """Take a stop back. Asking again changes nothing."""
        if not await self._stands(stop):
            return
        async with self.store.open_unit(scope, essential=True) as unit:
            unit.essential()
            unit.remove_stop(stop)
            unit.audit(_stop_event(scope, "lift", stop, digest))
            await unit.commit()
        await self.refresh()

    async def stop_revoked(self, scope: TenantScope, certificate: bytes, digest: bytes) -> None:
        """Have the issuer whose own certificate (DER) is to be revoked issue no more."""
        for issuer in await self.store.list_issuers(scope):
            if issuer.certificate == certificate:
                await self.stop(scope, issuer_stop(scope, issuer.id, StopCause.REVOKED), digest)

    async def _stands(self, stop: Stop) -> bool:
        wanted = stop.owner, stop.tenant, stop.issuer, stop.cause
        return any(
            (each.owner, each.tenant, each.issuer, each.cause) == wanted
            for each in await self.store.list_stops()
        )

    async def refresh(self) -> None:
        """Have the gate know all stops there are."""
        self.gate.replace(await self.store.list_stops())

    async def after(
        self, scope: TenantScope, visible: frozenset[IssuerId] | None, after: str, limit: int
    ) -> Sequence[Issuer | PendingAuthority]:
        """So many of the tenant's issuers, waiting or not, oldest first, from the one after
        `after`; of some only when `visible` says so."""
        if visible is None:
            identifiers = await self.store.issuer_ids_after(scope, after, limit)
        else:
            identifiers = sorted(each for each in visible if each > after)[:limit]
        return [await self._either(scope, each) for each in identifiers]

    async def _either(self, scope: TenantScope, issuer: IssuerId) -> Issuer | PendingAuthority:
        try:
            return await self.store.get_issuer(scope, issuer)
        except Problem:
            pending = await self.store.find_pending_issuer(scope, issuer)
            # One that waits no more was installed in between.
            return pending or await self.store.get_issuer(scope, issuer)

    def state(self, issuer: Issuer) -> str:
        """In a word whether an issuer issues: active, or the strongest cause why not."""
        end = issuer.facts.not_after
        causes = self.gate.causes(issuer)
        found = next((each.value for each in reversed(StopCause) if each in causes), None)
        expired = end is not None and end < self.clock.now()
        return found or ("expired" if expired else "active")

    async def links(self, scope: TenantScope, issuer: IssuerId) -> Sequence[tuple[LinkKind, bytes]]:
        """The certificates (DER) that join an issuer with its last generation."""
        every = await self.store.list_issuer_certificates(scope, issuer)
        return [each for each in every if each[0] is not LinkKind.ABOVE]

    async def put_policy(
        self, scope: TenantScope, document: PolicyDocument, digest: bytes
    ) -> PolicyDocument:
        """A new version of an issuer's policy document, published from now on;
        `Problem(policy.incomplete)` when it has not every section of RFC 3647."""
        await self.store.get_issuer(scope, document.issuer)
        if not document.text.strip() or len(document.text) > POLICY_MAXIMUM:
            raise Problem(
                ProblemCode.REQUEST_MALFORMED, f"a document has 1 to {POLICY_MAXIMUM} characters"
            )
        require_outline(document.text, document.media_type)
        newest = await self.store.newest_policy(scope, document.issuer)
        kept = replace(document, version=newest + 1, published_at=self.clock.now())
        async with self.store.open_unit(scope) as unit:
            unit.add_policy(kept)
            version = {"version": str(kept.version)}
            unit.audit(issuer_event(scope, "publish-policy", kept.issuer, digest, version))
            await unit.commit()
        return kept

    async def _named(self, scope: TenantScope, name: str) -> Issuer | PendingAuthority | None:
        pending = await self.store.list_pending_issuers(scope)
        every: list[Issuer | PendingAuthority] = [*pending, *await self.store.list_issuers(scope)]
        return next((each for each in every if each.name == name), None)


def _require_own_identifier(old: Issuer) -> None:
    """A root's link certificates would name its key in another way than its certificates do."""
    if old.key.purpose is not KeyPurpose.ROOT_CA:
        return
    if old.facts.key_identifier != key_identifier(old.key.public_key):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "a root that was taken over needs a new root")


def _next_generation(
    old: Issuer, algorithm: KeyAlgorithm | None, signature_algorithm: SignatureAlgorithm | None
) -> NewAuthority:
    """The same CA with another key; without algorithms, of those that it has."""
    if algorithm is None:
        algorithm = old.key.algorithm
        signature_algorithm = signature_algorithm or old.key.signature_algorithm
    return NewAuthority(
        name=_next_name(old.name),
        purpose=old.key.purpose,
        subject=old.facts.subject,
        algorithm=algorithm,
        signature_algorithm=signature_algorithm,
        bounds=old.bounds,
        predecessor=old.id,
    )


def _next_name(name: str) -> str:
    stem, _, number = name.rpartition(" #")
    return f"{stem} #{int(number) + 1}" if stem and number.isdecimal() else f"{name} #2"


def _same(found: Issuer | PendingAuthority, new: NewAuthority) -> bool:
    subject = found.facts.subject if isinstance(found, Issuer) else found.subject
    key = found.key
    return (subject, key.purpose, key.algorithm, found.bounds) == (
        new.subject,
        new.purpose,
        new.algorithm,
        new.bounds,
    ) and new.signature_algorithm in (None, key.signature_algorithm)


def _exists() -> Problem:
    return Problem(ProblemCode.ISSUER_EXISTS, "the tenant has another issuer of this name")


# Replaced by the instant at which a stop is set.
_UNSET = datetime(1970, 1, 1, tzinfo=UTC)


def platform_stop() -> Stop:
    """That nobody issues anything."""
    return Stop(PLATFORM_TENANT, None, None, StopCause.STOPPED, _UNSET)


def tenant_stop(scope: TenantScope, tenant: TenantId) -> Stop:
    """That a tenant issues nothing."""
    return Stop(scope.tenant, tenant, None, StopCause.STOPPED, _UNSET)


def issuer_stop(scope: TenantScope, issuer: IssuerId, cause: StopCause = StopCause.STOPPED) -> Stop:
    """That an issuer issues nothing, and why."""
    return Stop(scope.tenant, scope.tenant, issuer, cause, _UNSET)


def _within(above: Issuer | None, new: NewAuthority) -> NewAuthority:
    """The new CA with what it inherits; `Problem(request.malformed)` for what cannot be."""
    if (above is None) != (new.purpose is KeyPurpose.ROOT_CA):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "a root has no parent, any other CA has one")
    own = new.bounds or AuthorityBounds()
    length = own.path_length
    if above is not None:
        if above.key.purpose is KeyPurpose.ISSUING_CA:
            raise Problem(ProblemCode.REQUEST_MALFORMED, "no CA stands below an issuing CA")
        if length is None and above.facts.path_length is not None:
            length = max(above.facts.path_length - 1, 0)
    if new.purpose is KeyPurpose.ISSUING_CA:
        if own.path_length not in (None, 0):
            raise Problem(ProblemCode.REQUEST_MALFORMED, "an issuing CA's path length is 0")
        length = 0
    elif length == 0:
        raise Problem(
            ProblemCode.REQUEST_MALFORMED, "a path length of 0 leaves room for no CA: an issuing CA"
        )
    inherited = above.facts.constraints if above is not None else ()
    return replace(new, bounds=replace(own, path_length=length, inherited=inherited))


def _stop_event(scope: TenantScope, act: str, stop: Stop, digest: bytes) -> AuditEvent:
    whom = f"issuer:{stop.issuer}" if stop.issuer else f"tenant:{stop.tenant or PLATFORM_TENANT}"
    return AuditEvent(
        actor=scope.actor,
        action=f"issuance:stop:{act}",
        decision=Decision.ALLOWED,
        subject=whom if stop.tenant else "platform:",
        request_digest=digest,
        private={"cause": stop.cause.value},
    )
