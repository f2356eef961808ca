"""What stands around issuers, as rows: pending ones, further certificates, stops, policies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BindParameter, and_, bindparam, delete, desc, select

from tegata.issuance.installed import authority_limits
from tegata.issuance.model import (
    Issuer,
    LinkKind,
    PendingAuthority,
    PolicyDocument,
    Stop,
    StopCause,
)
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.foreign import authority_key_of
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.model import IssuerFacts
from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import CRL_JOB, RESPONDER_JOB, WANT_JOB
from tegata.store.keys import KEY_COLUMNS, key_from_row
from tegata.store.negative import stop_act
from tegata.store.reads import ReadsBase
from tegata.store.schema import (
    issuance_stop,
    issuer,
    issuer_certificate,
    issuer_policy,
    pending_issuer,
    responder,
    signing_key,
)
from tegata.store.statement import NO_OFFSET, Row, Statement
from tegata.store.unit import UnitBase

# Milliseconds after which the timetable makes an issuer whole that nobody else has.
_BACKSTOP = 60_000
_TENANT: BindParameter[str] = bindparam("tenant")
_PENDING = (
    select(
        pending_issuer.c.id,
        pending_issuer.c.name,
        pending_issuer.c.subject,
        pending_issuer.c.request,
        pending_issuer.c.bounds,
        pending_issuer.c.predecessor,
        *KEY_COLUMNS,
    )
    .join(
        signing_key,
        and_(
            signing_key.c.tenant == pending_issuer.c.tenant,
            signing_key.c.id == pending_issuer.c.signing_key,
        ),
    )
    .where(pending_issuer.c.tenant == _TENANT)
)
_LIST_PENDING = Statement(_PENDING.order_by(pending_issuer.c.id))
_FIND_PENDING = Statement(_PENDING.where(pending_issuer.c.id == bindparam("issuer")))
_IDS_AFTER = tuple(
    Statement(
        select(each.c.id)
        .where(each.c.tenant == _TENANT, each.c.id > bindparam("after"))
        .order_by(each.c.id)
        .limit(bindparam("limit"))
        .offset(NO_OFFSET)
    )
    for each in (pending_issuer, issuer)
)
_REMOVE_PENDING = Statement(
    delete(pending_issuer).where(
        pending_issuer.c.tenant == _TENANT, pending_issuer.c.id == bindparam("issuer")
    )
)
_CERTIFICATES = Statement(
    select(issuer_certificate.c.kind, issuer_certificate.c.certificate)
    .where(
        issuer_certificate.c.tenant == _TENANT, issuer_certificate.c.issuer == bindparam("issuer")
    )
    .order_by(issuer_certificate.c.kind, issuer_certificate.c.place)
)
_STOPS = Statement(
    select(
        issuance_stop.c.tenant,
        issuance_stop.c.stopped_tenant,
        issuance_stop.c.issuer,
        issuance_stop.c.cause,
        issuance_stop.c.since,
    )
)
_REMOVE_STOP = Statement(
    delete(issuance_stop).where(
        issuance_stop.c.tenant == _TENANT,
        issuance_stop.c.stopped_tenant == bindparam("stopped_tenant"),
        issuance_stop.c.issuer == bindparam("issuer"),
        issuance_stop.c.cause == bindparam("cause"),
    )
)
_POLICIES = Statement(
    select(
        issuer_policy.c.version,
        issuer_policy.c.title,
        issuer_policy.c.language,
        issuer_policy.c.media_type,
        issuer_policy.c.content,
        issuer_policy.c.published_at,
    )
    .where(
        issuer_policy.c.tenant == _TENANT,
        issuer_policy.c.issuer == bindparam("issuer"),
        issuer_policy.c.version <= bindparam("version"),
    )
    .order_by(desc(issuer_policy.c.version))
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_RESPONDER_UNTIL = Statement(
    select(responder.c.not_after).where(
        responder.c.tenant == _TENANT, responder.c.issuer == bindparam("issuer")
    )
)
_LAST_VERSION = (1 << 31) - 1


def encode_bounds(bounds: AuthorityBounds | None) -> bytes | None:
    """Bounds as they are stored."""
    return msgspec.json.encode(bounds) if bounds is not None else None


def decode_bounds(octets: bytes | None) -> AuthorityBounds | None:
    """Bounds from their column."""
    return msgspec.json.decode(bytes(octets), type=AuthorityBounds) if octets is not None else None


def is_among(stop: Stop, stops: Sequence[Stop]) -> bool:
    """Whether a stop, set by the same owner, is one of these."""
    return any(
        (each.owner, each.tenant, each.issuer, each.cause)
        == (stop.owner, stop.tenant, stop.issuer, stop.cause)
        for each in stops
    )


def issuer_from_row(
    row: Row, parent: Issuer | None, outside: tuple[bytes, ...], urls: tuple[str, str, str]
) -> Issuer:
    """An issuer from its row and its key's, with what is above it: here, or elsewhere."""
    identifier, name, _parent, der, bounds, predecessor = row[:6]
    key = key_from_row(row[6:])
    chain = (bytes(der), *(parent.chain if parent is not None else outside))
    path = [parse_tbs_certificate(parse_certificate(each).tbs) for each in chain]
    tbs, (constraints, path_length) = path[0], authority_limits(path)
    ocsp, crl, ca_issuers = urls
    return Issuer(
        id=IssuerId(identifier),
        tenant=key.tenant,
        name=name,
        parent=parent.id if parent is not None else None,
        key=key,
        certificate=bytes(der),
        chain=chain,
        facts=IssuerFacts(
            tbs.subject,
            authority_key_of(tbs),
            tbs.not_after,
            key.signature_algorithm,
            constraints,
            path_length,
        ),
        not_before=tbs.not_before,
        ocsp_url=ocsp,
        crl_url=crl,
        ca_issuers_url=ca_issuers,
        bounds=decode_bounds(bounds),
        predecessor=IssuerId(predecessor) if predecessor else None,
        ancestors=(parent.id, *parent.ancestors) if parent is not None else (),
    )


def _pending(row: Row) -> PendingAuthority:
    identifier, name, subject, request, bounds, predecessor = row[:6]
    return PendingAuthority(
        IssuerId(identifier),
        name,
        key_from_row(row[6:]),
        bytes(subject),
        bytes(request),
        decode_bounds(bounds),
        IssuerId(predecessor) if predecessor else None,
    )


class AuthorityReads(ReadsBase):
    """What stands around the issuers of one tenant, and the stops of all."""

    async def find_pending_issuer(
        self, scope: TenantScope, issuer: IssuerId
    ) -> PendingAuthority | None:
        """An issuer that waits for its certificate."""
        rows = await self.database.fetch(scope.tenant, _FIND_PENDING, {"issuer": issuer})
        return _pending(rows[0]) if rows else None

    async def list_pending_issuers(self, scope: TenantScope) -> Sequence[PendingAuthority]:
        """The tenant's issuers that wait for certificates, oldest first."""
        return [_pending(row) for row in await self.database.fetch(scope.tenant, _LIST_PENDING, {})]

    async def issuer_ids_after(
        self, scope: TenantScope, after: str, limit: int
    ) -> Sequence[IssuerId]:
        """So many ids of issuers, waiting or not, oldest first, from the one after `after`."""
        parameters = {"after": after, "limit": limit}
        found: set[str] = set()
        # Those that wait first: one that is installed meanwhile is then seen all the same.
        for statement in _IDS_AFTER:
            rows = await self.database.fetch(scope.tenant, statement, parameters)
            found.update(identifier for (identifier,) in rows)
        return [IssuerId(identifier) for identifier in sorted(found)[:limit]]

    async def list_issuer_certificates(
        self, scope: TenantScope, issuer: IssuerId
    ) -> Sequence[tuple[LinkKind, bytes]]:
        """An issuer's further certificates (DER)."""
        rows = await self.database.fetch(scope.tenant, _CERTIFICATES, {"issuer": issuer})
        return [(LinkKind(kind), bytes(der)) for kind, der in rows]

    async def certificates_above(self, scope: TenantScope, issuer: IssuerId) -> tuple[bytes, ...]:
        """Those of CAs elsewhere above an issuer, lowest first."""
        every = await self.list_issuer_certificates(scope, issuer)
        return tuple(der for kind, der in every if kind is LinkKind.ABOVE)

    async def list_stops(self) -> Sequence[Stop]:
        """All stops of all tenants."""
        return [
            Stop(
                TenantId(owner),
                TenantId(stopped) if stopped else None,
                IssuerId(issuer) if issuer else None,
                StopCause(cause),
                from_milliseconds(since),
            )
            for owner, stopped, issuer, cause, since in await self.database.fetch(None, _STOPS, {})
        ]

    async def list_policies(
        self, scope: TenantScope, issuer: IssuerId, newest: int | None, limit: int
    ) -> Sequence[PolicyDocument]:
        """An issuer's policy documents, newest first, from a version on down."""
        parameters = {"issuer": issuer, "version": newest or _LAST_VERSION, "limit": limit}
        return [
            PolicyDocument(
                issuer, version, title, language, media_type, content, from_milliseconds(published)
            )
            for version, title, language, media_type, content, published in (
                await self.database.fetch(scope.tenant, _POLICIES, parameters)
            )
        ]

    async def newest_policy(self, scope: TenantScope, issuer: IssuerId) -> int:
        """The number of the newest version; 0 when there is none."""
        found = await self.list_policies(scope, issuer, None, 1)
        return found[0].version if found else 0

    async def responder_until(self, scope: TenantScope, issuer: IssuerId) -> datetime | None:
        """When the certificate of an issuer's responder ends; None when there is none."""
        rows = await self.database.fetch(scope.tenant, _RESPONDER_UNTIL, {"issuer": issuer})
        return from_milliseconds(rows[0][0]) if rows else None


class AuthorityWrites(UnitBase):
    """What stands around issuers, in a unit."""

    def add_pending_issuer(self, pending: PendingAuthority, now: datetime) -> None:
        """Record an issuer that waits for its certificate."""
        self._insert(
            schema.pending_issuer,
            tenant=self.scope.tenant,
            id=pending.id,
            name=pending.name,
            signing_key=pending.key.id,
            subject=pending.subject,
            request=pending.request,
            bounds=encode_bounds(pending.bounds),
            predecessor=pending.predecessor,
            created_at=to_milliseconds(now),
        )

    def remove_pending_issuer(self, issuer: IssuerId) -> None:
        """It waits no more; the unit conflicts when it did not."""
        self._execute(_REMOVE_PENDING, {"tenant": self.scope.tenant, "issuer": issuer})

    def add_issuer_certificate(
        self, issuer: IssuerId, kind: LinkKind, place: int, der: bytes
    ) -> None:
        """Record a further certificate of an issuer."""
        self._insert(
            schema.issuer_certificate,
            tenant=self.scope.tenant,
            issuer=issuer,
            kind=kind.value,
            place=place,
            certificate=der,
        )

    def want_issuer_work(self, issuer: IssuerId, now: datetime) -> None:
        """Have the timetable make an issuer whole, should nobody else do."""
        for kind in (CRL_JOB, RESPONDER_JOB):
            self._execute(
                WANT_JOB,
                {
                    "kind": kind,
                    "key": issuer,
                    "job_tenant": self.scope.tenant,
                    "run_at": to_milliseconds(now) + _BACKSTOP,
                },
            )

    def add_stop(self, stop: Stop) -> None:
        """Record a stop of the unit's tenant's; the unit conflicts when it stands."""
        if stop.owner != self.scope.tenant:
            raise Problem(ProblemCode.AUTHORIZATION_DENIED, "a stop of somebody else's")
        self._act(stop_act(stop, lifted=False))
        self._insert(
            schema.issuance_stop,
            tenant=stop.owner,
            stopped_tenant=stop.tenant or "",
            issuer=stop.issuer or "",
            cause=stop.cause.value,
            since=to_milliseconds(stop.since),
        )

    def remove_stop(self, stop: Stop) -> None:
        """Take a stop of the unit's tenant's back; the unit conflicts when there is none."""
        self._act(stop_act(stop, lifted=True))
        self._execute(
            _REMOVE_STOP,
            {
                "tenant": self.scope.tenant,
                "stopped_tenant": stop.tenant or "",
                "issuer": stop.issuer or "",
                "cause": stop.cause.value,
            },
        )

    def add_policy(self, document: PolicyDocument) -> None:
        """Record a version of a policy document; the unit conflicts when it stands."""
        self._insert(
            schema.issuer_policy,
            tenant=self.scope.tenant,
            issuer=document.issuer,
            version=document.version,
            title=document.title,
            language=document.language,
            media_type=document.media_type,
            content=document.text,
            published_at=to_milliseconds(document.published_at),
        )
