"""The work on a file, group by group: each row once, whatever crashes in between (ADR 17)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.ports import IssuanceStore
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import CertificateId, IssuerId
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix.certificate import encode_pem
from tegata.pkix.csr import parse_csr
from tegata.registration.bulk import remember_refusals
from tegata.registration.bulk_model import (
    RESULTS_KEPT,
    UPLOAD_MAXIMUM,
    Bulk,
    BulkAct,
    BulkId,
    BulkOutcome,
    BulkRow,
    BulkState,
)
from tegata.registration.bulk_ports import Authority, BulkSealer, BulkStore, BulkUnit
from tegata.registration.model import CertificateQuery, SerialMatch
from tegata.registration.ports import RegistrationStore
from tegata.registration.renewal import RenewalService
from tegata.registration.service import EnrolmentService
from tegata.revocation.service import RevocationService

# Rows under way at once: their commits share a flush, and the API has its turns between them.
_AT_ONCE = 16
# One file's turn: then the next file's, whoever sent it.
_TURN = timedelta(seconds=5)
_GROUPS = 20
_NOT_A_ROWS_FAULT = frozenset(
    {
        ProblemCode.CONFLICT,
        ProblemCode.SIGNER_UNAVAILABLE,
        ProblemCode.STORAGE_EXHAUSTED,
        ProblemCode.STORAGE_UNAVAILABLE,
        ProblemCode.OUTCOME_UNKNOWN,
        ProblemCode.OVERLOADED,
        ProblemCode.TENANT_SUSPENDED,
        ProblemCode.SERIAL_NOT_RESERVED,
        ProblemCode.KEY_PURPOSE_REFUSED,
    }
)
_FORGET_AT_ONCE = 5000
_SERIAL_DIGITS = 40


@dataclass(frozen=True, slots=True)
class _Asked:
    """A row with what tells it from others: `digest` of what it asks for, `whole` of all of it."""

    row: BulkRow
    digest: bytes
    whole: bytes


@dataclass(frozen=True, slots=True)
class BulkWork:
    """Does what files ask for, as whoever sent them."""

    store: BulkStore
    certificates: RegistrationStore
    issuers: IssuanceStore
    enrolment: EnrolmentService
    renewal: RenewalService
    revocation: RevocationService
    authority: Authority
    clock: Clock

    async def run(self, scope: TenantScope, identifier: BulkId) -> datetime:
        """Work on a file for a while; when it is next due.

        Raises `Problem` for what is no row's fault: what was not done is done later.
        """
        bulk = await self.store.get_bulk(scope, identifier)
        now = self.clock.now()
        match bulk.state:
            case BulkState.RECEIVING if bulk.created_at + UPLOAD_MAXIMUM > now:
                return bulk.created_at + UPLOAD_MAXIMUM
            case BulkState.RECEIVING | BulkState.CANCELLING:
                return await self._drop_rows(bulk)
            case BulkState.RUNNING:
                return await self._turn(bulk)
            case BulkState.DONE | BulkState.CANCELLED:
                due = (bulk.finished_at or now) + RESULTS_KEPT
                return due if due > now else await self._forget(bulk)

    async def _turn(self, bulk: Bulk) -> datetime:
        begun = self.clock.now()
        if not await self.authority.may_act(bulk.scope):
            await self._move(bulk, BulkState.CANCELLING, None)
            return self.clock.now()
        sealer = await self.store.bulk_sealer(bulk.scope)
        for _ in range(_GROUPS):
            rows = await self.store.next_bulk_rows(bulk.scope, bulk.id)
            if not rows:
                now = self.clock.now()
                await self._move(bulk, BulkState.DONE, now)
                return now + RESULTS_KEPT
            await self._group(bulk, sealer, rows)
            if self.clock.now() - begun > _TURN:
                break
            if (await self.store.get_bulk(bulk.scope, bulk.id)).state is not BulkState.RUNNING:
                break
        return self.clock.now()

    async def _group(self, bulk: Bulk, sealer: BulkSealer, rows: Sequence[BulkRow]) -> None:
        """Do rows that a crash has not seen done, then strike all of them off at once."""
        first, last = rows[0].number, rows[-1].number
        known = await self.store.bulk_outcomes(bulk.scope, bulk.id, first - 1, len(rows))
        done = {each.row for each in known if each.row <= last}
        asked = [_asked(bulk, row) for row in rows]
        earlier = dict(
            await self.store.earlier_rows(bulk.scope, bulk.id, [each.digest for each in asked])
        )
        refusals: list[tuple[BulkOutcome, bytes]] = []
        todo = []
        for each in asked:
            same = earlier.setdefault(each.digest, each.row.number)
            if each.row.number in done:
                continue
            if same < each.row.number:
                problem = Problem(ProblemCode.BULK_DUPLICATE_ROW, f"the same as row {same}")
                refusals.append((_refused(each, problem), each.whole))
            else:
                todo.append(each)
        failure = await self._do(bulk, sealer, todo, refusals)
        if refusals:
            async with self.store.open_unit(bulk.scope, essential=True) as unit:
                await remember_refusals(unit, sealer, bulk, refusals)
                await unit.commit()
        if failure is not None:
            raise failure
        outcomes = await self.store.bulk_outcomes(bulk.scope, bulk.id, first - 1, len(rows))
        refused = sum(bool(each.code) for each in outcomes)
        async with self.store.open_unit(bulk.scope, essential=True) as unit:
            unit.remove_bulk_rows(bulk.id, first)
            unit.count_bulk(bulk.id, len(outcomes) - refused, refused)
            await unit.commit()

    async def _do(
        self,
        bulk: Bulk,
        sealer: BulkSealer,
        todo: Sequence[_Asked],
        refusals: list[tuple[BulkOutcome, bytes]],
    ) -> Problem | None:
        """Do rows, several at once; what is in the way of all of them, if anything is."""
        waiting, failures = iter(todo), list[Problem]()

        async def work(waiting: Iterator[_Asked]) -> None:
            for each in waiting:
                try:
                    await self._act(bulk, sealer, each)
                except Problem as problem:
                    if problem.code in _NOT_A_ROWS_FAULT:
                        failures.append(problem)
                        return
                    refusals.append((_refused(each, problem), each.whole))

        await asyncio.gather(*(work(waiting) for _ in range(min(_AT_ONCE, len(todo)))))
        return failures[0] if failures else None

    async def _act(self, bulk: Bulk, sealer: BulkSealer, asked: _Asked) -> None:
        fields, scope, order = asked.row.fields, bulk.scope, bulk.order
        if "" in fields:
            raise Problem(ProblemCode.BULK_ROW_REFUSED, fields[""])
        if any("\0" in value for value in fields.values()):
            raise Problem(ProblemCode.BULK_ROW_REFUSED, "a NUL character")

        def done(unit: object, certificate: IssuedCertificate) -> None:
            outcome = BulkOutcome(
                asked.row.number, asked.digest, certificate.id, "", fields.get("reference", "")
            )
            # The store's units serve every room (see store/store.py).
            cast(BulkUnit, unit).add_bulk_outcome(bulk.id, outcome, sealer.note(bulk.id, outcome))

        if order.act is BulkAct.ISSUE:
            issuer, profile = self._issuer(bulk, asked), fields.get("profile") or order.profile
            if profile is None:
                raise Problem(ProblemCode.BULK_ROW_REFUSED, "no profile")
            found = await self.issuers.get_issuer(scope, issuer)
            request = parse_csr(_pem(fields.get("csr", "")))
            await self.enrolment.certify(scope, found, profile, request, asked.whole, also=done)
            return
        certificate = await self._certificate(bulk, asked)
        match order.act:
            case BulkAct.RENEW:
                await self.renewal.renew(scope, certificate, asked.whole, also=done)
            case BulkAct.REVOKE:
                reason = fields.get("reason") or order.reason
                await self.revocation.revoke(scope, certificate, reason, asked.whole, also=done)
            case BulkAct.HOLD:
                hold = "certificateHold"
                await self.revocation.revoke(scope, certificate, hold, asked.whole, also=done)
            case BulkAct.RELEASE:
                await self.revocation.release(scope, certificate, asked.whole, also=done)

    def _issuer(self, bulk: Bulk, asked: _Asked) -> IssuerId:
        given = asked.row.fields.get("issuer") or bulk.order.issuer
        if given is None:
            raise Problem(ProblemCode.BULK_ROW_REFUSED, "no issuer")
        _require_visible(bulk, IssuerId(given))
        return IssuerId(given)

    async def _certificate(self, bulk: Bulk, asked: _Asked) -> CertificateId:
        fields = asked.row.fields
        identifier = fields.get("certificate")
        if identifier is not None:
            certificate = CertificateId(identifier)
            found = await self.certificates.get_certificate(bulk.scope, certificate)
            _require_visible(bulk, found.issuer)
            return certificate
        serial = _serial(fields.get("serial", ""))
        issuer = fields.get("issuer") or bulk.order.issuer
        query = CertificateQuery(
            issuer=IssuerId(issuer) if issuer else None,
            serial=SerialMatch(serial, serial),
            visible=bulk.order.visible,
            limit=2,
        )
        page = await self.certificates.list_certificates(bulk.scope, query, self.clock.now())
        if len(page.entries) != 1:
            raise Problem(ProblemCode.CERTIFICATE_UNKNOWN, "no certificate has this serial number")
        return page.entries[0].id

    async def _drop_rows(self, bulk: Bulk) -> datetime:
        rows = await self.store.next_bulk_rows(bulk.scope, bulk.id)
        now = self.clock.now()
        if not rows:
            await self._move(bulk, BulkState.CANCELLED, now)
            return now + RESULTS_KEPT
        async with self.store.open_unit(bulk.scope, essential=True) as unit:
            unit.forget_bulk_rows(bulk.id, rows[0].number + _FORGET_AT_ONCE)
            await unit.commit()
        return now

    async def _forget(self, bulk: Bulk) -> datetime:
        """Results that were kept long enough, then the file."""
        outcomes = await self.store.bulk_outcomes(bulk.scope, bulk.id, 0, 1)
        async with self.store.open_unit(bulk.scope, essential=True) as unit:
            if outcomes:
                unit.forget_bulk_outcomes(bulk.id, outcomes[0].row + _FORGET_AT_ONCE)
            else:
                unit.forget_bulk(bulk.id)
            await unit.commit()
        return self.clock.now()

    async def _move(self, bulk: Bulk, state: BulkState, finished_at: datetime | None) -> None:
        async with self.store.open_unit(bulk.scope, essential=True) as unit:
            unit.set_bulk_state(bulk.id, bulk.state, state, bulk.rows, finished_at)
            unit.audit(
                AuditEvent(
                    actor=bulk.scope.actor,
                    action="registration:bulk:end",
                    decision=Decision.ALLOWED,
                    subject=f"bulk:{bulk.id}",
                    request_digest=bytes(32),
                    private={"state": state},
                )
            )
            await unit.commit()


def _require_visible(bulk: Bulk, issuer: IssuerId) -> None:
    if bulk.order.visible is not None and issuer not in bulk.order.visible:
        raise Problem(ProblemCode.AUTHORIZATION_DENIED, "the token is for other issuers")


def _asked(bulk: Bulk, row: BulkRow) -> _Asked:
    fields = row.fields
    if "" in fields:
        meant = [str(row.number)]
    elif bulk.order.act is BulkAct.ISSUE:
        meant = [
            "".join(_pem(fields.get("csr", "")).split()),
            fields.get("issuer") or bulk.order.issuer or "",
            fields.get("profile") or bulk.order.profile or "",
        ]
    else:
        meant = [fields.get("certificate") or "".join(fields.get("serial", "").lower().split())]
    whole = json.dumps([bulk.id, row.number, dict(sorted(fields.items()))])
    digest = hashlib.sha256("\0".join(meant).encode("utf-8", "replace")).digest()[:16]
    return _Asked(row, digest, hashlib.sha256(whole.encode()).digest())


def _refused(asked: _Asked, problem: Problem) -> BulkOutcome:
    found = "; ".join(finding.message for finding in problem.findings[1:])
    detail = "; ".join(filter(None, (problem.detail, found)))
    reference = asked.row.fields.get("reference", "")
    return BulkOutcome(asked.row.number, asked.digest, None, problem.code, reference, detail)


def _pem(text: str) -> str:
    """A request in PEM, given so or as the base64 of its DER."""
    if "-----BEGIN" in text:
        return text
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return text
    return encode_pem("CERTIFICATE REQUEST", octets) if octets else text


def _serial(text: str) -> int:
    digits = "".join(text.replace(":", " ").replace("-", " ").split()).lower().removeprefix("0x")
    if not 0 < len(digits) <= _SERIAL_DIGITS or set(digits) - set("0123456789abcdef"):
        raise Problem(
            ProblemCode.BULK_ROW_REFUSED,
            "a serial number is hexadecimal; a spreadsheet may have made another number of it",
        )
    return int(digits, 16)
