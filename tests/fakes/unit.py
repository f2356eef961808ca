"""A unit that lets a test write any row, and the check of a tenant's whole record."""

import hashlib
import json

from sqlalchemy import Table, bindparam, select

from tegata.kernel.event import NO_PREVIOUS, AuditEvent, Decision
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import platform_acts
from tegata.kernel.signing import DataKeyKind
from tegata.store.database import Database
from tegata.store.schema import audit_event
from tegata.store.statement import Parameters, Row, Statement
from tegata.store.unit import Committer, UnitBase
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer

RECORD = Statement(
    select(audit_event.c.sequence, audit_event.c.canonical, audit_event.c.digest)
    .where(audit_event.c.tenant == bindparam("tenant"))
    .order_by(audit_event.c.sequence)
)


class FreeUnit(UnitBase):
    """A unit of the platform's own in a tenant's space."""

    def __init__(self, committer: Committer, tenant: TenantId) -> None:
        sealers = {DataKeyKind.DISCLOSURE: PlainSealer()}
        scope = platform_acts(tenant, "test")
        super().__init__(committer, scope, sealers, FakeClock(), CountingRandomness(), self.forget)

    def forget(self, issuer: IssuerId, serial: int) -> None:
        """No answers are in memory here."""

    def insert(self, table: Table, **values: object) -> None:
        self._insert(table, **values)

    def execute(
        self,
        statement: Statement,
        parameters: Parameters,
        expect: int | None = 1,
        otherwise: ProblemCode = ProblemCode.CONFLICT,
    ) -> None:
        self._execute(statement, parameters, expect=expect, otherwise=otherwise)

    def happen(self, subject: str) -> None:
        """Record an event about a subject."""
        self.audit(
            AuditEvent(
                actor=self.scope.actor,
                action="test:subject:act",
                decision=Decision.ALLOWED,
                subject=subject,
                request_digest=bytes(32),
                private={"name": subject},
            )
        )


async def verified_record(database: Database, tenant: TenantId) -> list[str]:
    """The subjects' digests of a tenant's events, in order; fails when the chain is broken."""
    return verify_record(await database.fetch(tenant, RECORD, {}))


def verify_record(rows: list[Row]) -> list[str]:
    previous = NO_PREVIOUS
    subjects = []
    for place, (sequence, canonical, digest) in enumerate(rows, start=1):
        event = json.loads(canonical)
        assert (sequence, event["sequence"]) == (place, place)
        assert event["previous"] == previous.hex()
        assert digest == hashlib.sha256(canonical).digest()
        previous = digest
        subjects.append(event["subject"])
    return subjects


def subject_digest(subject: str) -> str:
    """How a subject stands in the record."""
    return hashlib.sha256(subject.encode()).hexdigest()
