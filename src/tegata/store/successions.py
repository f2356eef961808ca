"""Which certificate took which one's place, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, or_, select

from tegata.kernel.ids import CertificateId, encode_certificate_id, parse_certificate_id
from tegata.kernel.scope import TenantScope
from tegata.registration.model import Replacement, Succession
from tegata.store.instants import to_milliseconds
from tegata.store.reads import ReadsBase
from tegata.store.schema import succession
from tegata.store.statement import Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_AT_ONCE = 50
_COLUMNS = (succession.c.predecessor, succession.c.successor)
_AROUND = Statement(
    select(*_COLUMNS).where(
        succession.c.tenant == _TENANT,
        or_(
            succession.c.predecessor == bindparam("certificate"),
            succession.c.successor == bindparam("certificate"),
        ),
    )
)
_PLACES = tuple(f"certificate{place}" for place in range(_AT_ONCE))
# A page of certificates at a time: always as many places, so that it is compiled once.
_OF_SEVERAL = Statement(
    select(*_COLUMNS).where(
        succession.c.tenant == _TENANT,
        succession.c.predecessor.in_([bindparam(place) for place in _PLACES]),
    )
)


class SuccessionReads(ReadsBase):
    """Predecessors and successors of one tenant's certificates."""

    async def find_succession(self, scope: TenantScope, certificate: CertificateId) -> Succession:
        """What a certificate replaced, and the last that replaced it."""
        octets = parse_certificate_id(certificate)
        rows = await self.database.fetch(scope.tenant, _AROUND, {"certificate": octets})
        # Ids begin with the time at which they were made.
        before = [bytes(row[0]) for row in rows if bytes(row[1]) == octets]
        after = sorted(bytes(row[1]) for row in rows if bytes(row[0]) == octets)
        return Succession(
            encode_certificate_id(before[0]) if before else None,
            encode_certificate_id(after[-1]) if after else None,
        )

    async def find_successors(
        self, scope: TenantScope, certificates: Sequence[CertificateId]
    ) -> Mapping[CertificateId, CertificateId]:
        """The last successor of each of the certificates that has one."""
        found: dict[bytes, bytes] = {}
        for first in range(0, len(certificates), _AT_ONCE):
            asked = [parse_certificate_id(each) for each in certificates[first : first + _AT_ONCE]]
            asked += [b""] * (_AT_ONCE - len(asked))
            rows = await self.database.fetch(
                scope.tenant, _OF_SEVERAL, dict(zip(_PLACES, asked, strict=True))
            )
            for predecessor, successor in rows:
                known = found.get(bytes(predecessor), b"")
                found[bytes(predecessor)] = max(known, bytes(successor))
        return {
            encode_certificate_id(predecessor): encode_certificate_id(successor)
            for predecessor, successor in found.items()
        }


class SuccessionWrites(UnitBase):
    """Successors in a unit."""

    def add_successor(
        self,
        predecessor: CertificateId,
        successor: CertificateId,
        kind: Replacement,
        now: datetime,
    ) -> None:
        """Record that a certificate took another's place."""
        self._insert(
            succession,
            tenant=self.scope.tenant,
            predecessor=parse_certificate_id(predecessor),
            successor=parse_certificate_id(successor),
            kind=kind.value,
            created_at=to_milliseconds(now),
        )
