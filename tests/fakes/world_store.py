"""The store of a `World`: tables that survive a crash, units that apply all or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol, TypeVar

from cryptography import x509

from tegata.issuance.model import (
    IssuedCertificate,
    Issuer,
    LinkKind,
    PendingAuthority,
    PolicyDocument,
    Stop,
    VoidSerial,
)
from tegata.issuance.serials import SerialBlock
from tegata.issuance.shards import SHARD_PLACES, Shard
from tegata.kernel.event import NO_PREVIOUS, AuditEvent, chain_event
from tegata.kernel.ids import BlockId, CertificateId, IssuerId, KeyId, NodeId, TenantId, TokenId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope
from tegata.kernel.signing import DataKeyKind, RefusalGround, SigningKey
from tegata.pkix.crl import RevocationReason
from tegata.pkix.names import GeneralName
from tegata.pkix.ocsp import IssuerHashes, issuer_hashes
from tegata.registration.model import (
    CertificateEntry,
    CertificatePage,
    CertificateQuery,
    ProfileVersion,
    RefusedKey,
    Replacement,
    Succession,
)
from tegata.registration.ports import EarlierRequest, RecentCertificate
from tegata.registration.search import matches
from tegata.revocation.model import (
    CertificateStatus,
    CrlBase,
    CrlEntries,
    CrlKind,
    CrlState,
    PublishedCrl,
    Release,
    Responder,
    Revocation,
    Status,
    StatusAuthority,
)
from tegata.revocation.rules import revocation_of_void
from tegata.tenancy.model import Tenant, TenantState, Token
from tegata.tenancy.ports import RecordedEvent
from tests.fakes.world_take_over import (
    MemoryTakeOverStore,
    MemoryTakeOverUnit,
    TakeOverTables,
)

# The record of a world has no instants: its clock stands still.
THEN = datetime(2026, 1, 1, tzinfo=UTC)
K = TypeVar("K")
V = TypeVar("V")


class Gate(Protocol):
    """Where a call may be its run's last."""

    def reach(self, name: str) -> None:
        """Go on, or crash."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """A recorded block of serials."""

    tenant: TenantId
    issuer: IssuerId
    block: SerialBlock
    node: NodeId
    shard: int
    is_open: bool = True


NO_BASE = CrlBase(0, 0, datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a CRL is for, and where its lists stand."""

    url: str
    places: int = 0
    last_epoch: int = 0
    changes: int = 0
    number: int = 0
    full: int = 0
    delta: int = 0
    base: CrlBase = NO_BASE


@dataclass(slots=True)
class Tables(TakeOverTables):
    """Everything that was committed."""

    tenants: dict[TenantId, Tenant] = field(default_factory=dict)
    data_keys: dict[tuple[TenantId, DataKeyKind], bytes] = field(default_factory=dict)
    signing_keys: dict[KeyId, SigningKey] = field(default_factory=dict)
    issuers: dict[IssuerId, Issuer] = field(default_factory=dict)
    responders: dict[IssuerId, list[Responder]] = field(default_factory=dict)
    blocks: dict[BlockId, Block] = field(default_factory=dict)
    certificates: dict[CertificateId, IssuedCertificate] = field(default_factory=dict)
    revocations: dict[tuple[IssuerId, int], Revocation] = field(default_factory=dict)
    # By issuer and serial, the last change: its number, the shard and the entry of a delta.
    changes: dict[tuple[IssuerId, int], tuple[int, int, bytes]] = field(default_factory=dict)
    scopes: dict[tuple[IssuerId, int], Scope] = field(default_factory=dict)
    crls: dict[tuple[IssuerId, int, CrlKind, int], PublishedCrl] = field(default_factory=dict)
    keys_used: dict[tuple[TenantId, bytes], EarlierRequest] = field(default_factory=dict)
    successions: dict[
        tuple[TenantId, CertificateId, CertificateId], tuple[Replacement, datetime]
    ] = field(default_factory=dict)
    refused_keys: dict[tuple[TenantId, bytes], RefusedKey] = field(default_factory=dict)
    # By the digest of each: its key, and the modulus.
    moduli: dict[tuple[TenantId, bytes], tuple[bytes, bytes]] = field(default_factory=dict)
    tokens: dict[TokenId, Token] = field(default_factory=dict)
    profiles: dict[tuple[TenantId, str, int], ProfileVersion] = field(default_factory=dict)
    pending: dict[IssuerId, PendingAuthority] = field(default_factory=dict)
    issuer_certificates: dict[tuple[IssuerId, LinkKind, int], bytes] = field(default_factory=dict)
    stops: dict[tuple[object, ...], Stop] = field(default_factory=dict)
    policies: dict[tuple[IssuerId, int], PolicyDocument] = field(default_factory=dict)
    wanted: dict[IssuerId, datetime] = field(default_factory=dict)
    events: dict[int, tuple[TenantId, AuditEvent]] = field(default_factory=dict)

    def copy(self) -> Tables:
        """The same rows in tables of their own."""
        return Tables(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})


def _add(table: dict[K, V], key: K, value: V) -> None:
    if key in table:
        raise Problem(ProblemCode.CONFLICT, "another request changed the same thing")
    table[key] = value


def _dns_names(certificate: IssuedCertificate) -> list[str]:
    extensions = x509.load_der_x509_certificate(certificate.der).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.DNSName)


class KeySet(set[bytes]):
    """A list of compromised keys."""

    def holds(self, spki_sha256: bytes) -> bool:
        return spki_sha256 in self


def _place(stop: Stop) -> tuple[object, ...]:
    return stop.owner, stop.tenant, stop.issuer, stop.cause


def _require_held(tables: Tables, place: tuple[IssuerId, int]) -> None:
    found = tables.revocations.get(place)
    if found is None or found.reason is not RevocationReason.CERTIFICATE_HOLD:
        raise Problem(ProblemCode.CERTIFICATE_NOT_HELD)


class MemoryUnit(MemoryTakeOverUnit):
    """A unit with the writes of every room."""

    def __init__(self, store: MemoryStore, scope: TenantScope) -> None:
        self._store = store
        self._scope = scope
        self._writes: list[Callable[[Tables], None]] = []

    async def commit(self) -> None:
        self._store.gate.reach("unit.commit: before")
        changed = self._store.tables.copy()
        for write in self._writes:
            write(changed)
        self._store.tables = changed
        self._store.gate.reach("unit.commit: after")

    def essential(self) -> None:
        """Disks of this world have room."""

    def audit(self, event: AuditEvent) -> None:
        self._writes.append(
            lambda tables: _add(tables.events, len(tables.events), (self._scope.tenant, event))
        )

    def add_serial_block(
        self, issuer: IssuerId, block: SerialBlock, shard: int, node: NodeId, now: datetime
    ) -> None:
        row = Block(self._scope.tenant, issuer, block, node, shard)
        self._writes.append(lambda tables: _add(tables.blocks, block.id, row))

    def close_serial_block(self, block: BlockId, now: datetime) -> None:
        def close(tables: Tables) -> None:
            if not tables.blocks[block].is_open:
                raise Problem(ProblemCode.CONFLICT)
            tables.blocks[block] = replace(tables.blocks[block], is_open=False)

        self._writes.append(close)

    def add_void_serial(self, void: VoidSerial, now: datetime) -> None:
        def require_nothing(tables: Tables) -> None:
            if void.serial in {each.serial for each in tables.certificates.values()}:
                raise Problem(ProblemCode.CONFLICT)

        self._writes.append(require_nothing)
        self.add_revocation(revocation_of_void(void, now))

    def add_certificate(
        self, octets: bytes, certificate: IssuedCertificate, names: Sequence[GeneralName]
    ) -> None:
        def add(tables: Tables) -> None:
            if certificate.serial in {each.serial for each in tables.certificates.values()}:
                raise Problem(ProblemCode.CONFLICT)
            _add(tables.certificates, certificate.id, certificate)

        self._writes.append(add)

    def add_signing_key(self, key: SigningKey, now: datetime) -> None:
        self._writes.append(lambda tables: _add(tables.signing_keys, key.id, key))

    def add_issuer(self, issuer: Issuer, now: datetime) -> None:
        self._writes.append(lambda tables: _add(tables.issuers, issuer.id, issuer))

    def add_pending_issuer(self, pending: PendingAuthority, now: datetime) -> None:
        self._writes.append(lambda tables: _add(tables.pending, pending.id, pending))

    def remove_pending_issuer(self, issuer: IssuerId) -> None:
        def remove(tables: Tables) -> None:
            if tables.pending.pop(issuer, None) is None:
                raise Problem(ProblemCode.CONFLICT)

        self._writes.append(remove)

    def add_issuer_certificate(
        self, issuer: IssuerId, kind: LinkKind, place: int, der: bytes
    ) -> None:
        key = issuer, kind, place
        self._writes.append(lambda tables: _add(tables.issuer_certificates, key, der))

    def want_issuer_work(self, issuer: IssuerId, now: datetime) -> None:
        self._writes.append(lambda tables: tables.wanted.update({issuer: now}))

    def add_stop(self, stop: Stop) -> None:
        self._writes.append(lambda tables: _add(tables.stops, _place(stop), stop))

    def remove_stop(self, stop: Stop) -> None:
        def remove(tables: Tables) -> None:
            if tables.stops.pop(_place(stop), None) is None:
                raise Problem(ProblemCode.CONFLICT)

        self._writes.append(remove)

    def add_policy(self, document: PolicyDocument) -> None:
        key = document.issuer, document.version
        self._writes.append(lambda tables: _add(tables.policies, key, document))

    def add_responder(
        self,
        issuer: IssuerId,
        key: SigningKey,
        certificate: bytes,
        not_after: datetime,
        now: datetime,
    ) -> None:
        new = Responder(key, certificate, not_after)

        def add(tables: Tables) -> None:
            tables.responders[issuer] = [*tables.responders.get(issuer, []), new]

        self._writes.append(add)

    def add_revocation(self, revocation: Revocation) -> None:
        place = revocation.issuer, revocation.serial

        def change(tables: Tables, number: int) -> None:
            _add(tables.revocations, place, revocation)
            tables.changes[place] = number, revocation.shard, revocation.entry

        self._change(revocation.issuer, change)

    def open_shard(self, issuer: IssuerId, shard: int, url: str, now: datetime) -> None:
        def open_(tables: Tables) -> None:
            tables.scopes.setdefault((issuer, shard), Scope(url))

        self._writes.append(open_)

    def fill_shard(self, issuer: IssuerId, shard: int, size: int, month: int) -> None:
        def fill(tables: Tables) -> None:
            scope = tables.scopes[issuer, shard]
            if scope.places + size > SHARD_PLACES:
                raise Problem(ProblemCode.CONFLICT)
            last = max(scope.last_epoch, month)
            filled = replace(scope, places=scope.places + size, last_epoch=last)
            tables.scopes[issuer, shard] = filled

        self._writes.append(fill)

    def _change(self, issuer: IssuerId, change: Callable[[Tables, int], None]) -> None:
        def count(tables: Tables) -> None:
            scope = tables.scopes[issuer, 0]
            tables.scopes[issuer, 0] = replace(scope, changes=scope.changes + 1)
            change(tables, scope.changes + 1)

        self._writes.append(count)

    def replace_hold(self, revocation: Revocation) -> None:
        place = revocation.issuer, revocation.serial

        def change(tables: Tables, number: int) -> None:
            _require_held(tables, place)
            tables.revocations[place] = revocation
            tables.changes[place] = number, revocation.shard, revocation.entry

        self._change(revocation.issuer, change)

    def release_hold(self, release: Release) -> None:
        place = release.issuer, release.serial

        def change(tables: Tables, number: int) -> None:
            _require_held(tables, place)
            del tables.revocations[place]
            tables.changes[place] = number, release.shard, release.entry

        self._change(release.issuer, change)

    def add_crl(self, crl: PublishedCrl) -> None:
        place = crl.issuer, crl.shard, crl.kind, crl.number
        self._writes.append(lambda tables: _add(tables.crls, place, crl))

    def _move(
        self, issuer: IssuerId, state: CrlState, name: str, previous: int, **values: object
    ) -> None:
        def move(tables: Tables) -> None:
            scope = tables.scopes[issuer, state.shard]
            if getattr(scope, name) != previous:
                raise Problem(ProblemCode.CONFLICT)
            tables.scopes[issuer, state.shard] = replace(scope, **values)  # type: ignore[arg-type]

        self._writes.append(move)

    def take_crl_number(self, issuer: IssuerId, state: CrlState) -> None:
        def take(tables: Tables) -> None:
            scope = tables.scopes[issuer, state.shard]
            if scope.number > state.number:
                raise Problem(ProblemCode.CONFLICT)
            tables.scopes[issuer, state.shard] = replace(scope, number=state.number + 1)

        self._writes.append(take)

    def replace_full_crl(
        self, issuer: IssuerId, state: CrlState, number: int, base: CrlBase
    ) -> None:
        self._move(issuer, state, "full", state.full, full=number, base=base)

    def replace_delta_crl(self, issuer: IssuerId, state: CrlState, number: int) -> None:
        self._move(issuer, state, "delta", state.delta, delta=number)

    def want_delta(self, issuer: IssuerId, now: datetime) -> None:
        """The worker of this world is whoever calls."""

    def want_crls(self, issuer: IssuerId, shard: int, now: datetime) -> None:
        def want(tables: Tables) -> None:
            tables.wanted[issuer] = min(now, tables.wanted.get(issuer, now))

        self._writes.append(want)

    def add_idempotency(
        self, key_hash: bytes, request_digest: bytes, certificate: CertificateId, now: datetime
    ) -> None:
        place = self._scope.tenant, key_hash
        earlier = EarlierRequest(request_digest, certificate)
        self._writes.append(lambda tables: _add(tables.keys_used, place, earlier))

    def add_successor(
        self,
        predecessor: CertificateId,
        successor: CertificateId,
        kind: Replacement,
        now: datetime,
    ) -> None:
        place = self._scope.tenant, predecessor, successor
        self._writes.append(lambda tables: _add(tables.successions, place, (kind, now)))

    def add_refused_key(self, spki_sha256: bytes, ground: RefusalGround, now: datetime) -> None:
        place, row = (self._scope.tenant, spki_sha256), RefusedKey(spki_sha256, ground, now)

        def add(tables: Tables) -> None:
            found = tables.refused_keys.setdefault(place, row)
            if found.ground is RefusalGround.LISTED:
                tables.refused_keys[place] = replace(found, ground=ground)

        self._writes.append(add)

    def remove_refused_key(self, key: RefusedKey) -> None:
        def remove(tables: Tables) -> None:
            if tables.refused_keys.pop((self._scope.tenant, key.spki_sha256), None) != key:
                raise Problem(ProblemCode.CONFLICT)

        self._writes.append(remove)

    def add_modulus(self, modulus: bytes, spki_sha256: bytes, now: datetime) -> None:
        place = self._scope.tenant, sha256(modulus).digest()

        def add(tables: Tables) -> None:
            if tables.moduli.setdefault(place, (spki_sha256, modulus))[0] != spki_sha256:
                raise Problem(ProblemCode.CSR_WEAK_KEY)

        self._writes.append(add)

    def add_tenant(self, tenant: Tenant) -> None:
        self._writes.append(lambda tables: _add(tables.tenants, tenant.id, tenant))

    def set_tenant_state(self, state: TenantState, *, resumed: bool = False) -> None:
        def change(tables: Tables) -> None:
            tenant = self._scope.tenant
            tables.tenants[tenant] = replace(tables.tenants[tenant], state=state)

        self._writes.append(change)

    def add_data_key(self, kind: DataKeyKind, wrapped: bytes, now: datetime) -> None:
        place = self._scope.tenant, kind
        self._writes.append(lambda tables: _add(tables.data_keys, place, wrapped))

    def add_token(self, token: Token) -> None:
        self._writes.append(lambda tables: _add(tables.tokens, token.id, token))

    def revoke_token(self, token: TokenId, now: datetime) -> None:
        def revoke(tables: Tables) -> None:
            if token not in tables.tokens or tables.tokens[token].revoked_at is not None:
                raise Problem(ProblemCode.TOKEN_UNKNOWN)
            tables.tokens[token] = replace(tables.tokens[token], revoked_at=now)

        self._writes.append(revoke)

    def add_profile_version(self, version: ProfileVersion) -> None:
        key = self._scope.tenant, version.name, version.version
        self._writes.append(lambda tables: _add(tables.profiles, key, version))

    def retire_profile_version(self, name: str, version: int, now: datetime) -> None:
        key = self._scope.tenant, name, version

        def retire(tables: Tables) -> None:
            if key not in tables.profiles or tables.profiles[key].retired_at is not None:
                raise Problem(ProblemCode.PROFILE_UNKNOWN)
            tables.profiles[key] = replace(tables.profiles[key], retired_at=now)

        self._writes.append(retire)


class MemoryStore(MemoryTakeOverStore):
    """The stores of every room, in memory."""

    def __init__(self, gate: Gate, tables: Tables) -> None:
        self.gate = gate
        self.tables = tables

    def _read(self, name: str) -> Tables:
        self.gate.reach(f"store.{name}")
        return self.tables

    @asynccontextmanager
    async def open_unit(
        self, scope: TenantScope, *, essential: bool = False
    ) -> AsyncIterator[MemoryUnit]:
        self.gate.reach("store.open_unit")
        yield MemoryUnit(self, scope)

    def require_room(self) -> None:
        """Disks of this world have room."""

    def issuer_urls(self, issuer: IssuerId) -> tuple[str, str, str]:
        base = "http://pki.example.test"
        return f"{base}/ocsp", f"{base}/crl/{issuer}.crl", f"{base}/ca/{issuer}.cer"

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        found = self._read("get_issuer").issuers.get(issuer)
        if found is None or found.tenant != scope.tenant:
            raise Problem(ProblemCode.ISSUER_UNKNOWN)
        return found

    async def list_issuers(self, scope: TenantScope) -> Sequence[Issuer]:
        issuers = self._read("list_issuers").issuers.values()
        return [issuer for issuer in issuers if issuer.tenant == scope.tenant]

    async def open_blocks(self, scope: TenantScope, node: NodeId) -> Sequence[Block]:
        blocks = self._read("open_blocks").blocks.values()
        own = (block for block in blocks if block.tenant == scope.tenant and block.node == node)
        return [block for block in own if block.is_open]

    async def recorded_serials(
        self, scope: TenantScope, issuer: IssuerId, month: int, serials: Sequence[int]
    ) -> frozenset[int]:
        certificates = self._read("recorded_serials").certificates.values()
        return frozenset(
            each.serial
            for each in certificates
            if (each.tenant, each.issuer) == (scope.tenant, issuer) and each.serial in serials
        )

    async def get_certificate(
        self, scope: TenantScope, certificate: CertificateId
    ) -> IssuedCertificate:
        found = self._read("get_certificate").certificates.get(certificate)
        if found is None or found.tenant != scope.tenant:
            raise Problem(ProblemCode.CERTIFICATE_UNKNOWN)
        return found

    async def is_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> bool:
        refused = self._read("is_refused_key").refused_keys
        return any((owner, spki_sha256) in refused for owner in (scope.tenant, PLATFORM_TENANT))

    def forget_refused_keys(self, tenant: TenantId) -> None:
        """Worlds remember nothing but their tables."""

    async def list_refused_keys(
        self, scope: TenantScope, after: bytes, limit: int
    ) -> Sequence[RefusedKey]:
        rows = self._read("list_refused_keys").refused_keys
        own = (rows[place] for place in sorted(rows) if place[0] == scope.tenant)
        return [each for each in own if each.spki_sha256 > after][:limit]

    async def find_refused_key(self, scope: TenantScope, spki_sha256: bytes) -> RefusedKey | None:
        return self._read("find_refused_key").refused_keys.get((scope.tenant, spki_sha256))

    async def find_modulus(self, scope: TenantScope, modulus_sha256: bytes) -> bytes | None:
        found = self._read("find_modulus").moduli.get((scope.tenant, modulus_sha256))
        return found[0] if found is not None else None

    async def newest_moduli(self, scope: TenantScope, limit: int) -> Sequence[tuple[bytes, int]]:
        rows = self._read("newest_moduli").moduli
        own = [row for (owner, _digest), row in rows.items() if owner == scope.tenant]
        return [(key, int.from_bytes(modulus, "big")) for key, modulus in own[-limit:]]

    async def find_idempotency(self, scope: TenantScope, key_hash: bytes) -> EarlierRequest | None:
        return self._read("find_idempotency").keys_used.get((scope.tenant, key_hash))

    async def find_succession(self, scope: TenantScope, certificate: CertificateId) -> Succession:
        rows = self._read("find_succession").successions
        own = [place[1:] for place in rows if place[0] == scope.tenant]
        before = [first for first, second in own if second == certificate]
        after = sorted(second for first, second in own if first == certificate)
        return Succession(before[0] if before else None, after[-1] if after else None)

    async def find_successors(
        self, scope: TenantScope, certificates: Sequence[CertificateId]
    ) -> Mapping[CertificateId, CertificateId]:
        rows = self._read("find_successors").successions
        own = sorted(place[1:] for place in rows if place[0] == scope.tenant)
        return {first: second for first, second in own if first in certificates}

    async def list_certificates(
        self, scope: TenantScope, query: CertificateQuery, now: datetime
    ) -> CertificatePage:
        found = [
            CertificateEntry(
                id=each.id,
                issuer=each.issuer,
                serial=each.serial,
                profile=each.profile,
                subject=each.subject,
                not_before=each.not_before,
                not_after=each.not_after,
                status=await self.certificate_status(scope, each.issuer, each.serial),
            )
            for each in sorted(
                self._read("list_certificates").certificates.values(),
                key=lambda each: each.id,
                reverse=True,
            )
            if each.tenant == scope.tenant
            and (query.serial is None or query.serial.lowest <= each.serial <= query.serial.highest)
            and (query.after is None or each.id < query.after)
            and (query.name is None or query.name.value in _dns_names(each))
        ]
        found = [
            each
            for each in found
            if matches(query, each.issuer, each.profile, each.not_after, each.status, now)
        ]
        more = len(found) > query.limit
        page = found[: query.limit]
        return CertificatePage(page, page[-1].id if more else None)

    async def find_profile(
        self, scope: TenantScope, name: str, version: int | None
    ) -> ProfileVersion | None:
        own = await self.list_profile_versions(scope, name, None, 1000)
        if version is not None:
            return next((each for each in own if each.version == version), None)
        return next((each for each in own if each.retired_at is None), None)

    async def newest_profile_version(self, scope: TenantScope, name: str) -> int:
        own = await self.list_profile_versions(scope, name, None, 1)
        return own[0].version if own else 0

    async def list_profiles(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[ProfileVersion]:
        names = {place[1] for place in self.tables.profiles if place[0] == scope.tenant}
        found = [await self.find_profile(scope, name, None) for name in sorted(names)]
        return [each for each in found if each is not None and each.name > after][:limit]

    async def list_profile_versions(
        self, scope: TenantScope, name: str, before: int | None, limit: int
    ) -> Sequence[ProfileVersion]:
        rows = self._read("profiles").profiles
        own = (rows[place] for place in rows if place[:2] == (scope.tenant, name))
        below = [each for each in own if before is None or each.version < before]
        return sorted(below, key=lambda each: -each.version)[:limit]

    async def recent_certificates(
        self, scope: TenantScope, before: CertificateId | None, limit: int
    ) -> Sequence[RecentCertificate]:
        rows = self._read("recent_certificates").certificates.values()
        own = [each for each in rows if each.tenant == scope.tenant]
        listed = [each for each in own if before is None or each.id < before]
        ordered = sorted(listed, key=lambda each: each.id, reverse=True)
        return [RecentCertificate(each.id, each.issuer, each.profile) for each in ordered[:limit]]

    async def find_revocation(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus | None:
        found = self._read("find_revocation").revocations.get((issuer, serial))
        if found is None:
            return None
        return CertificateStatus(Status.REVOKED, found.revoked_at, found.reason)

    async def certificate_status(
        self, scope: TenantScope, issuer: IssuerId, serial: int
    ) -> CertificateStatus:
        revoked = await self.find_revocation(scope, issuer, serial)
        recorded = bool(await self.recorded_serials(scope, issuer, 0, [serial]))
        recorded = recorded or (issuer, serial) in self.tables.foreign
        return revoked or CertificateStatus(Status.GOOD if recorded else Status.UNKNOWN)

    async def find_authority(self, hashes: IssuerHashes) -> StatusAuthority | None:
        tables = self._read("find_authority")
        for issuer in tables.issuers.values():
            own = issuer_hashes(issuer.facts.subject, issuer.key.public_key)
            if hashes in own and issuer.id in tables.responders:
                return StatusAuthority(issuer, tables.responders[issuer.id][-1])
        return None

    async def newest_shards(self, scope: TenantScope, issuer: IssuerId) -> Sequence[Shard]:
        scopes = self._read("newest_shards").scopes
        own = sorted(number for owner, number in scopes if owner == issuer and number)
        return [
            Shard(number, scopes[issuer, number].url, scopes[issuer, number].places)
            for number in own[-2:]
        ]

    async def crl_state(self, scope: TenantScope, issuer: IssuerId, shard: int) -> CrlState:
        tables = self._read("crl_state")
        row = tables.scopes[issuer, shard]
        newest = max(number for owner, number in tables.scopes if owner == issuer)
        lists = [
            crl.this_update
            for crl in tables.crls.values()
            if (crl.issuer, crl.shard, crl.kind) == (issuer, shard, CrlKind.FULL)
        ]
        return CrlState(
            shard=shard,
            url=row.url,
            number=max(row.number, tables.floors.get(issuer, 0)),
            full=row.full,
            delta=row.delta,
            changes=tables.scopes[issuer, 0].changes,
            base=row.base,
            last_epoch=row.last_epoch,
            closed=0 < shard < newest - 1,
            previous_update=max(lists, default=None),
        )

    async def crl_entries(
        self, scope: TenantScope, issuer: IssuerId, shard: int, listed_since: datetime
    ) -> CrlEntries:
        tables = self._read("crl_entries")
        entries = tuple(
            row.entry
            for place, row in sorted(tables.revocations.items())
            if place[0] == issuer and shard in (0, row.shard) and row.listed_until >= listed_since
        )
        return CrlEntries(entries, len(entries))

    async def changed_entries(
        self, scope: TenantScope, issuer: IssuerId, shard: int, since: int
    ) -> CrlEntries:
        changes = self._read("changed_entries").changes
        entries = tuple(
            entry
            for (owner, _serial), (number, of_shard, entry) in changes.items()
            if owner == issuer and shard in (0, of_shard) and number > since
        )
        return CrlEntries(entries, len(entries))

    async def latest_crl(self, issuer: IssuerId, shard: int, kind: CrlKind) -> PublishedCrl | None:
        crls = self._read("latest_crl").crls
        own = [place for place in crls if place[:3] == (issuer, shard, kind)]
        return crls[max(own)] if own else None

    async def list_shards(self, issuer: IssuerId) -> Sequence[int]:
        scopes = self._read("list_shards").scopes
        return sorted(number for owner, number in scopes if owner == issuer and number)

    async def tenant_of(self, issuer: IssuerId) -> TenantId | None:
        found = self._read("tenant_of").issuers.get(issuer)
        return found.tenant if found is not None else None

    async def find_pending_issuer(
        self, scope: TenantScope, issuer: IssuerId
    ) -> PendingAuthority | None:
        return self._read("find_pending_issuer").pending.get(issuer)

    async def list_pending_issuers(self, scope: TenantScope) -> Sequence[PendingAuthority]:
        return list(self._read("list_pending_issuers").pending.values())

    async def issuer_ids_after(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[IssuerId]:
        data = self._read("issuer_ids_after")
        return sorted(each for each in (*data.issuers, *data.pending) if each > after)[:limit]

    async def list_issuer_certificates(
        self, scope: TenantScope, issuer: IssuerId
    ) -> Sequence[tuple[LinkKind, bytes]]:
        rows = self._read("list_issuer_certificates").issuer_certificates
        return [(kind, der) for (owner, kind, _place), der in rows.items() if owner == issuer]

    async def list_stops(self) -> Sequence[Stop]:
        return list(self._read("list_stops").stops.values())

    async def list_policies(
        self, scope: TenantScope, issuer: IssuerId, newest: int | None, limit: int
    ) -> Sequence[PolicyDocument]:
        rows = self._read("list_policies").policies.values()
        found = [each for each in rows if each.issuer == issuer]
        return [each for each in reversed(found) if newest is None or each.version <= newest][
            :limit
        ]

    async def newest_policy(self, scope: TenantScope, issuer: IssuerId) -> int:
        return len(await self.list_policies(scope, issuer, None, 1 << 20))

    async def has_responder(self, scope: TenantScope, issuer: IssuerId) -> bool:
        return issuer in self._read("has_responder").responders

    async def find_tenant(self, scope: TenantScope, tenant: TenantId) -> Tenant | None:
        return self._read("find_tenant").tenants.get(tenant)

    async def find_tenant_named(self, scope: TenantScope, name: str) -> Tenant | None:
        tenants = self._read("find_tenant_named").tenants.values()
        return next((tenant for tenant in tenants if tenant.name == name), None)

    async def list_tenants(self, scope: TenantScope) -> Sequence[Tenant]:
        return list(self._read("list_tenants").tenants.values())

    async def tenants_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Tenant]:
        tenants = self._read("tenants_after").tenants
        return [tenants[each] for each in sorted(tenants) if each > after][:limit]

    async def find_token(self, tenant: TenantId, token: TokenId) -> Token | None:
        return self._read("find_token").tokens.get(token)

    async def tokens_after(self, scope: TenantScope, after: str, limit: int) -> Sequence[Token]:
        tokens = self._read("tokens_after").tokens
        return [tokens[each] for each in sorted(tokens) if each > after][:limit]

    async def list_events(
        self, scope: TenantScope, after: int, limit: int
    ) -> Sequence[RecordedEvent]:
        recorded: list[RecordedEvent] = []
        previous = NO_PREVIOUS
        own = (
            each for each in self._read("list_events").events.values() if each[0] == scope.tenant
        )
        for number, (tenant, event) in enumerate(own, 1):
            chained = chain_event(event, [], tenant, number, previous, THEN)
            previous = chained.digest
            recorded.append(RecordedEvent(number, chained.canonical, chained.digest, ()))
        return recorded[after : after + limit]
