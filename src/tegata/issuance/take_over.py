"""Use cases of taking over a CA that exists: its key, certificates, revocations, CRL number.

What is handed in is verified and kept apart, batch by batch; sending it again changes nothing.
Until all of it is recorded there is no issuer: nothing is issued, answered or listed. Cancelling
leaves nothing but the record of what was done (ADR 18).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tegata.issuance.authorities import AuthorityService
from tegata.issuance.index_file import IndexEntry, IndexReader, TakenRevocation
from tegata.issuance.installed import require_taken, taken_chain
from tegata.issuance.take_over_ports import AdoptingSigner, TakeOverStore
from tegata.issuance.taken import NewTakeOver, TakeOver, TakeOverState
from tegata.issuance.taken_records import read_crl
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import IssuerId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.der import DerError
from tegata.pkix.foreign import ElementReader, ForeignCertificate, ForeignIssuer
from tegata.pkix.signatures import SignatureInvalid
from tegata.profiles.public_key import key_weakness

BATCH = 100
CERTIFICATES_MAXIMUM = 4 << 30
INDEX_MAXIMUM = 1 << 30
# `Problem` for a key (SubjectPublicKeyInfo) that something speaks against.
Screen = Callable[[TenantScope, bytes], Awaitable[None]]
Parts = AsyncIterator[bytes]
# A serial number, the end of its validity if that was said, and its revocation.
_Told = tuple[int, datetime | None, TakenRevocation | None]


@dataclass(frozen=True, slots=True)
class TakeOverService:
    """Takes CAs over, step by step."""

    store: TakeOverStore
    signer: AdoptingSigner
    authorities: AuthorityService
    screen: Screen
    clock: Clock
    batch: int = BATCH

    async def begin(self, scope: TenantScope, new: NewTakeOver, digest: bytes) -> TakeOver:
        """Begin with a CA's certificate, whose key an operator has given to the tenant. Asking
        again for the same finds it."""
        verified = taken_chain(new.chain, self.clock.now())
        require_taken(verified, new.purpose)
        for each in await self.store.list_take_overs(scope):
            if (each.name, each.chain[0]) == (new.name, new.chain[0]):
                return each
            if each.chain[0] == new.chain[0]:
                raise Problem(ProblemCode.ISSUER_EXISTS, "this CA is being taken over already")
        await self._require_new_name(scope, new.name)
        public_key = verified.lowest.public_key
        if await self.store.is_issuer_key(public_key):
            raise Problem(ProblemCode.ISSUER_EXISTS, "a CA with this key is here already")
        weakness = key_weakness(public_key)
        if weakness is not None:
            raise Problem(ProblemCode.CSR_WEAK_KEY, weakness.message)
        await self.screen(scope, public_key)
        key = await self.signer.adopt_key(
            scope.tenant, new.purpose, new.chain[0], new.signature_algorithm
        )
        now = self.clock.now()
        begun = TakeOver(
            self.authorities.hierarchy.new_id(), new.name, key, new.chain, TakeOverState.OPEN,
            now, new.crl_number,
        )  # fmt: skip
        async with self.store.open_unit(scope) as unit:
            unit.add_signing_key(key, now)
            unit.add_take_over(begun)
            spki_sha256 = hashlib.sha256(public_key).hexdigest()
            private = {"name": new.name, "key": spki_sha256}
            unit.audit(take_over_event(scope, "begin", begun.id, digest, private))
            await unit.commit()
        return begun

    async def get(self, scope: TenantScope, issuer: IssuerId) -> TakeOver:
        """How far one is, or `Problem(take-over.unknown)`."""
        found = await self.store.find_take_over(scope, issuer)
        if found is None:
            raise Problem(ProblemCode.TAKE_OVER_UNKNOWN, "no such take-over, or it is complete")
        return found

    async def list(self, scope: TenantScope) -> Sequence[TakeOver]:
        """Those that are not complete."""
        return await self.store.list_take_overs(scope)

    async def add_certificates(
        self, scope: TenantScope, issuer: IssuerId, parts: Parts, profile: str, digest: bytes
    ) -> TakeOver:
        """Certificates that the CA issued: PEM, or DER one after the other.

        The first that is not the CA's ends it, named by its place; those of whole batches before
        it are kept, and known when the file comes again.
        """
        take_over = await self._open(scope, issuer)
        signer = ForeignIssuer(take_over.chain[0])
        reader = ElementReader(b"CERTIFICATE")
        batch: list[ForeignCertificate] = []
        place = 0
        try:
            async for part in parts:
                for der in reader.feed(part):
                    place += 1
                    batch.append(signer.read_certificate(der))
                    if len(batch) == self.batch:
                        take_over = await self._stage(scope, take_over, batch, profile, digest)
                        batch = []
            reader.close()
        except (DerError, SignatureInvalid) as error:
            raise _refused(f"certificate {place or 1} of the file: {error}") from error
        if not place:
            raise _refused("the file has no certificate")
        return await self._stage(scope, take_over, batch, profile, digest)

    async def _stage(
        self,
        scope: TenantScope,
        take_over: TakeOver,
        batch: Sequence[ForeignCertificate],
        profile: str,
        digest: bytes,
    ) -> TakeOver:
        staged = await self.store.find_staged(scope, take_over.id, [each.serial for each in batch])
        new: dict[int, ForeignCertificate] = {}
        for each in batch:
            there = staged.get(each.serial)
            known = there.der if there is not None else None
            if each.serial in new:
                known = new[each.serial].der
            if known is None:
                new[each.serial] = each
            elif known != each.der:
                raise _refused(f"two certificates have the serial number {each.serial:x}")
        if not new:
            return take_over
        moved = replace(
            take_over,
            certificates=take_over.certificates + len(new),
            entries=take_over.entries + len(new.keys() - staged.keys()),
            revision=take_over.revision + 1,
        )
        async with self.store.open_unit(scope) as unit:
            unit.move_take_over(take_over, moved)
            for each in new.values():
                unit.stage_certificate(take_over.id, each.serial, each.der, profile)
            octets = hashlib.sha256(b"".join(each.der for each in new.values())).hexdigest()
            private = {"certificates": str(len(new)), "profile": profile, "digest": octets}
            unit.audit(take_over_event(scope, "add-certificates", take_over.id, digest, private))
            await unit.commit()
        return moved

    async def add_index(
        self, scope: TenantScope, issuer: IssuerId, parts: Parts, digest: bytes
    ) -> TakeOver:
        """The CA's index (`index_file`): what it issued, and revoked. What an index alone knows is
        kept by its serial number."""
        take_over = await self._open(scope, issuer)
        reader = IndexReader()
        batch: list[IndexEntry] = []
        async for part in parts:
            for entry in reader.feed(part):
                batch.append(entry)
                if len(batch) == self.batch:
                    # What breaks off was not told whole: it must come again.
                    after = replace(take_over, told=False)
                    take_over = await self._tell_index(scope, take_over, batch, after, digest)
                    batch = []
        batch += reader.close()
        last = replace(take_over, told=True)
        return await self._tell_index(scope, take_over, batch, last, digest)

    async def _tell_index(
        self,
        scope: TenantScope,
        before: TakeOver,
        batch: Sequence[IndexEntry],
        after: TakeOver,
        digest: bytes,
    ) -> TakeOver:
        told = [(each.serial, each.not_after, each.revoked) for each in batch]
        if len({serial for serial, _not_after, _revoked in told}) != len(told):
            raise _refused("the index has a serial number twice")
        return await self._tell(scope, before, told, after, "add-index", digest)

    async def add_crl(
        self, scope: TenantScope, issuer: IssuerId, octets: bytes, digest: bytes
    ) -> TakeOver:
        """The last list that the CA made (PEM or DER). Revoked serials that nothing else tells of
        are kept, and listed."""
        take_over = await self._open(scope, issuer)
        crl = read_crl(ForeignIssuer(take_over.chain[0]), octets, take_over)
        number = max(crl.number, take_over.crl_number or 0)
        batch: list[_Told] = []
        for entry in crl.entries():
            revocation = TakenRevocation(entry.revoked_at, entry.reason, entry.invalid_since)
            batch.append((entry.serial, None, revocation))
            if len(batch) == self.batch:
                after = replace(take_over, told=False)
                take_over = await self._tell(scope, take_over, batch, after, "add-crl", digest)
                batch = []
        # With the last batch the list is told whole.
        point = crl.point or take_over.point
        last = replace(take_over, crl_number=number, point=point, told=True)
        return await self._tell(scope, take_over, batch, last, "add-crl", digest)

    async def _tell(
        self,
        scope: TenantScope,
        before: TakeOver,
        told: Sequence[_Told],
        after: TakeOver,
        act: str,
        digest: bytes,
    ) -> TakeOver:
        staged = await self.store.find_staged(scope, before.id, [serial for serial, *_ in told])
        revoked = [
            serial
            for serial, _not_after, revocation in told
            if revocation is not None and (serial not in staged or staged[serial].revoked is None)
        ]
        new = {serial for serial, *_ in told} - staged.keys()
        moved = replace(
            after,
            entries=before.entries + len(new),
            revoked=before.revoked + len(revoked),
            revision=before.revision + 1,
        )
        async with self.store.open_unit(scope) as unit:
            unit.move_take_over(before, moved)
            for serial, not_after, revocation in told:
                unit.stage_entry(
                    before.id, serial, not_after, revocation, published=act == "add-crl"
                )
            private = {"entries": str(len(told))}
            if moved.crl_number is not None:
                private["crl_number"] = str(moved.crl_number)
            unit.audit(take_over_event(scope, act, before.id, digest, private))
            await unit.commit()
        return moved

    async def _open(self, scope: TenantScope, issuer: IssuerId) -> TakeOver:
        found = await self.get(scope, issuer)
        if found.state is not TakeOverState.OPEN:
            raise Problem(ProblemCode.CONFLICT, "it is being completed: nothing is added any more")
        return found

    async def _require_new_name(self, scope: TenantScope, name: str) -> None:
        names = {each.name for each in await self.store.list_issuers(scope)}
        names |= {each.name for each in await self.store.list_pending_issuers(scope)}
        names |= {each.name for each in await self.store.list_take_overs(scope)}
        if name in names:
            raise Problem(ProblemCode.ISSUER_EXISTS, "the tenant has another issuer of this name")


def take_over_event(
    scope: TenantScope, act: str, issuer: IssuerId, digest: bytes, private: dict[str, str]
) -> AuditEvent:
    """What the record says of a step."""
    return AuditEvent(
        actor=scope.actor,
        action=f"issuance:take-over:{act}",
        decision=Decision.ALLOWED,
        subject=f"issuer:{issuer}",
        request_digest=digest,
        private=private,
    )


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.TAKE_OVER_REFUSED, detail)
