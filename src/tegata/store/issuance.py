"""Issuers, serial blocks and certificates, as rows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    and_,
    bindparam,
    exists,
    insert,
    select,
    union_all,
    update,
)

from tegata.issuance.model import IssuedCertificate, Issuer, VoidSerial
from tegata.issuance.serials import SerialBlock, serial_octets
from tegata.kernel.ids import (
    BlockId,
    IssuerId,
    NodeId,
    TenantId,
    encode_certificate_id,
    parse_certificate_id,
)
from tegata.kernel.month import expiry_month
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.kernel.signing import DataKeyKind, Sealer
from tegata.pkix.extensions import subject_public_key
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.revocation.rules import revocation_of_void
from tegata.store import schema
from tegata.store.authorities import (
    AuthorityReads,
    AuthorityWrites,
    encode_bounds,
    issuer_from_row,
)
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.keys import KEY_COLUMNS
from tegata.store.schema import (
    certificate,
    certificate_der,
    certificate_name,
    issuer,
    issuer_directory,
    serial_block,
    signing_key,
)
from tegata.store.shards import COUNT_CHANGE, THIS_CHANGE, ShardReads, ShardWrites
from tegata.store.statement import Row, Statement, typed

_TENANT: BindParameter[str] = bindparam("tenant")
_ISSUER_COLUMNS = (
    issuer.c.id,
    issuer.c.name,
    issuer.c.parent,
    issuer.c.certificate,
    issuer.c.bounds,
    issuer.c.predecessor,
)
_ISSUERS_WITH_KEYS = (
    select(*_ISSUER_COLUMNS, *KEY_COLUMNS)
    .join(
        signing_key,
        and_(signing_key.c.tenant == issuer.c.tenant, signing_key.c.id == issuer.c.signing_key),
    )
    .where(issuer.c.tenant == _TENANT)
)
_LIST_ISSUERS = Statement(_ISSUERS_WITH_KEYS.order_by(issuer.c.id))
_GET_ISSUER = Statement(_ISSUERS_WITH_KEYS.where(issuer.c.id == bindparam("issuer")))
_OPEN_BLOCKS = Statement(
    select(
        serial_block.c.id,
        serial_block.c.issuer,
        serial_block.c.epoch,
        serial_block.c.size,
        serial_block.c.shard,
        serial_block.c.prf_key,
    ).where(
        serial_block.c.tenant == _TENANT,
        serial_block.c.node == bindparam("node"),
        serial_block.c.closed_at.is_(None),
    )
)
_CLOSE_BLOCK = Statement(
    update(serial_block)
    .where(
        serial_block.c.tenant == _TENANT,
        serial_block.c.id == bindparam("block"),
        serial_block.c.closed_at.is_(None),
    )
    .values(closed_at=bindparam("now"))
)
_OF_SERIAL = (
    certificate.c.tenant == _TENANT,
    certificate.c.issuer == bindparam("issuer"),
    certificate.c.epoch == bindparam("epoch"),
    certificate.c.serial == bindparam("serial"),
)
# A certificate, or the revocation of one that was lost with the database that had it (ADR 15).
_HAS_SERIAL = Statement(
    union_all(
        select(certificate.c.serial).where(*_OF_SERIAL),
        select(schema.revocation.c.serial).where(
            schema.revocation.c.tenant == _TENANT,
            schema.revocation.c.issuer == bindparam("issuer"),
            schema.revocation.c.serial == bindparam("serial"),
        ),
    )
)
_VOID = typed(
    texts=("tenant", "issuer"),
    octets=("serial", "entry"),
    numbers=("epoch", "revoked_at", "reason", "listed_until", "shard"),
)
# Looked at once more where it is written: a commit of the run that died may have come late.
_ADD_VOID = Statement(
    insert(schema.revocation).from_select(
        [*_VOID, "change"],
        select(*_VOID.values(), THIS_CHANGE).where(
            ~exists(select(certificate.c.serial).where(*_OF_SERIAL))
        ),
    )
)
_GET_CERTIFICATE = Statement(
    select(
        certificate.c.id,
        certificate.c.issuer,
        certificate.c.serial,
        certificate.c.profile,
        certificate.c.profile_version,
        certificate.c.subject,
        certificate.c.not_before,
        certificate.c.not_after,
        certificate_der.c.der,
        certificate.c.shard,
    )
    .join(
        certificate_der,
        and_(
            certificate_der.c.tenant == certificate.c.tenant,
            certificate_der.c.certificate == certificate.c.id,
            certificate_der.c.epoch == certificate.c.epoch,
        ),
    )
    .where(
        certificate.c.tenant == _TENANT,
        certificate.c.id == bindparam("certificate"),
        certificate.c.epoch == bindparam("epoch"),
    )
)
_CACHE = 4096


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block that a run of the platform left open."""

    issuer: IssuerId
    block: SerialBlock
    shard: int


def block_context(block: BlockId) -> str:
    """What binds a sealed PRF key to its block."""
    return f"serial_block.prf_key|{block}"


def searchable(name: GeneralName) -> str:
    """A name as it is searched for: host names with their labels reversed."""
    if name.kind is GeneralNameKind.DNS:
        return "dns:" + ".".join(reversed(name.value.split(".")))
    return f"{name.kind}:{name.value}"


def fingerprint_number(fingerprint: bytes) -> int:
    """The first 8 octets of a SHA-256 as they are stored: a signed number in the same order.

    The octets after them decide in the rare case; an index of 32 would be three times the size.
    """
    return int.from_bytes(fingerprint[:8], "big") - (1 << 63)


def certificate_from_row(tenant: TenantId, row: Row) -> IssuedCertificate:
    """A certificate from the columns of `_GET_CERTIFICATE`."""
    octets, issuer_id, serial, profile, version, subject, not_before, not_after, der, shard = row
    return IssuedCertificate(
        id=encode_certificate_id(bytes(octets)),
        tenant=tenant,
        issuer=IssuerId(issuer_id),
        serial=int.from_bytes(serial, "big"),
        profile=profile,
        profile_version=version,
        subject=subject,
        not_before=from_milliseconds(not_before),
        not_after=from_milliseconds(not_after),
        der=bytes(der),
        shard=shard,
    )


class IssuanceReads(ShardReads, AuthorityReads):
    """Issuers, blocks and certificates of one tenant."""

    def __init__(self) -> None:
        self._issuers: OrderedDict[tuple[TenantId, IssuerId], Issuer] = OrderedDict()

    def issuer_urls(self, issuer: IssuerId) -> tuple[str, str, str]:
        """The OCSP, CRL and CA-issuers URLs that an issuer's certificates carry."""
        base = self.public_url
        return f"{base}/ocsp", f"{base}/crl/{issuer}.crl", f"{base}/ca/{issuer}.cer"

    async def get_issuer(self, scope: TenantScope, issuer: IssuerId) -> Issuer:
        """An issuer of the tenant, or `Problem(issuer.unknown)`."""
        key = scope.tenant, issuer
        known = self._issuers.get(key)
        if known is not None:
            return known
        rows = await self.database.fetch(scope.tenant, _GET_ISSUER, {"issuer": issuer})
        if not rows:
            raise Problem(ProblemCode.ISSUER_UNKNOWN, "no such issuer")
        parent = rows[0][2]
        above = await self.get_issuer(scope, IssuerId(parent)) if parent else None
        outside = () if above is not None else await self.certificates_above(scope, issuer)
        # An issuer's row never changes, so it may be kept as long as there is room.
        found = self._issuers[key] = issuer_from_row(
            rows[0], above, outside, self.issuer_urls(issuer)
        )
        if len(self._issuers) > _CACHE:
            self._issuers.popitem(last=False)
        return found

    async def list_issuers(self, scope: TenantScope) -> Sequence[Issuer]:
        """The tenant's issuers, oldest first."""
        rows = await self.database.fetch(scope.tenant, _LIST_ISSUERS, {})
        return [await self.get_issuer(scope, IssuerId(row[0])) for row in rows]

    async def open_blocks(self, scope: TenantScope, node: NodeId) -> Sequence[StoredBlock]:
        """The tenant's blocks that this node left open."""
        rows = await self.database.fetch(scope.tenant, _OPEN_BLOCKS, {"node": node})
        if not rows:
            # Most tenants, at most starts: their data keys need not be unwrapped for this.
            return []
        sealer = await self.data_keys.sealer(scope.tenant, DataKeyKind.CA_RECORDS)
        return [_block(row, sealer) for row in rows]

    async def recorded_serials(
        self, scope: TenantScope, issuer: IssuerId, month: int, serials: Sequence[int]
    ) -> frozenset[int]:
        """Those of the serials that a certificate, or a revocation, stands under."""
        found = set()
        for serial in serials:
            parameters = {"issuer": issuer, "epoch": month, "serial": serial_octets(serial)}
            if await self.database.fetch(scope.tenant, _HAS_SERIAL, parameters):
                found.add(serial)
        return frozenset(found)

    async def get_certificate(self, scope: TenantScope, certificate: str) -> IssuedCertificate:
        """A certificate of the tenant, or `Problem(certificate.unknown)`."""
        octets = parse_certificate_id(certificate)
        parameters = {"certificate": octets, "epoch": int.from_bytes(octets[6:8], "big")}
        rows = await self.database.fetch(scope.tenant, _GET_CERTIFICATE, parameters)
        if not rows:
            raise Problem(ProblemCode.CERTIFICATE_UNKNOWN, "no such certificate")
        return certificate_from_row(scope.tenant, rows[0])


def _block(row: Row, sealer: Sealer) -> StoredBlock:
    identifier, issuer_id, month, size, shard, sealed = row
    prf_key = sealer.unseal(bytes(sealed), block_context(BlockId(identifier)))
    block = SerialBlock(BlockId(identifier), month, size, prf_key)
    return StoredBlock(IssuerId(issuer_id), block, shard)


class IssuanceWrites(ShardWrites, AuthorityWrites):
    """Issuers, blocks and certificates in a unit."""

    def add_serial_block(
        self, issuer: IssuerId, block: SerialBlock, shard: int, node: NodeId, now: datetime
    ) -> None:
        """Record reserved serials, their key sealed."""
        self._insert(
            serial_block,
            tenant=self.scope.tenant,
            id=block.id,
            issuer=issuer,
            epoch=block.month,
            size=block.size,
            shard=shard,
            prf_key=self.sealers[DataKeyKind.CA_RECORDS].seal(
                block.prf_key, block_context(block.id)
            ),
            node=node,
            created_at=to_milliseconds(now),
            closed_at=None,
        )

    def close_serial_block(self, block: BlockId, now: datetime) -> None:
        """Say that no serial of a block will be used any more."""
        self._execute(
            _CLOSE_BLOCK,
            {"tenant": self.scope.tenant, "block": block, "now": to_milliseconds(now)},
        )

    def add_void_serial(self, void: VoidSerial, now: datetime) -> None:
        """Record a serial under which nothing was recorded, as revoked; the unit conflicts when
        something was."""
        revocation = revocation_of_void(void, now)
        owner = {"tenant": self.scope.tenant, "issuer": void.issuer}
        self._execute(COUNT_CHANGE, owner)
        self._execute(
            _ADD_VOID,
            {
                **owner,
                "serial": serial_octets(void.serial),
                "epoch": void.month,
                "revoked_at": to_milliseconds(revocation.revoked_at),
                "reason": revocation.reason.number,
                "entry": revocation.entry,
                "listed_until": to_milliseconds(revocation.listed_until),
                "shard": void.shard,
            },
        )
        self._status_changed(void.issuer, void.serial)

    def add_certificate(
        self, octets: bytes, certificate: IssuedCertificate, names: Sequence[GeneralName]
    ) -> None:
        """Record a certificate, its names and its octets."""
        tenant, epoch = self.scope.tenant, expiry_month(certificate.not_after)
        self._insert(
            schema.certificate,
            tenant=tenant,
            id=octets,
            epoch=epoch,
            issuer=certificate.issuer,
            serial=serial_octets(certificate.serial),
            profile=certificate.profile,
            profile_version=certificate.profile_version,
            subject=certificate.subject,
            not_before=to_milliseconds(certificate.not_before),
            not_after=to_milliseconds(certificate.not_after),
            shard=certificate.shard,
            fingerprint=fingerprint_number(hashlib.sha256(certificate.der).digest()),
        )
        for name in names:
            self._insert(
                certificate_name,
                tenant=tenant,
                name=searchable(name),
                certificate=octets,
                epoch=epoch,
            )
        self._insert(
            certificate_der, tenant=tenant, certificate=octets, epoch=epoch, der=certificate.der
        )

    def add_issuer(self, issuer: Issuer, now: datetime) -> None:
        """Record an issuer, and make it findable by status requests."""
        self._insert(
            schema.issuer,
            tenant=issuer.tenant,
            id=issuer.id,
            name=issuer.name,
            parent=issuer.parent,
            signing_key=issuer.key.id,
            certificate=issuer.certificate,
            bounds=encode_bounds(issuer.bounds),
            predecessor=issuer.predecessor,
            created_at=to_milliseconds(now),
        )
        key = subject_public_key(issuer.key.public_key)
        self._insert(
            issuer_directory,
            issuer=issuer.id,
            tenant=issuer.tenant,
            sha1_key=hashlib.sha1(key, usedforsecurity=False).digest(),
            sha256_key=hashlib.sha256(key).digest(),
            certificate=issuer.certificate,
        )
