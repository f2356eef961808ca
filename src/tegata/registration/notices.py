"""Use cases of notices: each certificate is told of once at each threshold, then the mail is sent.

A threshold has a mark: up to when certificates that expire were told of. A digest moves the marks
and queues its mail in one transaction, so that no crash and no second node tells twice. A mail
stands until the server has taken it: a crash between the two sends it again, under the same
Message-ID.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ids import CertificateId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.pkix import oids
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.der import DerError
from tegata.pkix.names import GeneralName, parse_general_names
from tegata.profiles.catalogue import OCSP_RESPONDER
from tegata.registration.model import (
    PAGE_MAXIMUM,
    CertificateEntry,
    CertificateQuery,
    CertificateState,
    NameMatch,
    SubjectMatch,
)
from tegata.registration.notice import (
    ENTRIES_MAXIMUM,
    TRIED_FOR,
    Delivery,
    Mail,
    NoticeSetting,
    require_notice_setting,
    write_notice,
)
from tegata.registration.ports import Mailer, NoticeStore

_NO_REQUEST = bytes(32)
# Newer certificates that are looked at to see whether one was renewed.
_NEWER_MAXIMUM = 5
_SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class _Digest:
    """What one mail will say."""

    groups: dict[int, list[CertificateEntry]]
    more_before: datetime | None = None

    @property
    def count(self) -> int:
        return sum(map(len, self.groups.values()))


@dataclass(frozen=True, slots=True)
class NoticeService:
    """Notices before certificates expire. `mailer` is None where the platform sends no mail."""

    store: NoticeStore
    mailer: Mailer | None
    clock: Clock
    randomness: Randomness

    async def get_setting(self, scope: TenantScope) -> NoticeSetting:
        """What the tenant asked for; nobody is told until it did."""
        return await self.store.find_notice_setting(scope) or NoticeSetting()

    async def set_setting(
        self, scope: TenantScope, setting: NoticeSetting, request_digest: bytes
    ) -> NoticeSetting:
        """Change what the tenant asks for. `Problem`: request.malformed, or mail.unavailable
        where the platform sends no mail."""
        setting = require_notice_setting(setting)
        if setting.addresses and self.mailer is None:
            raise Problem(ProblemCode.MAIL_UNAVAILABLE, "this platform has no --smtp server")
        now = self.clock.now()
        async with self.store.open_unit(scope) as unit:
            unit.set_notice_setting(setting, now)
            if setting.addresses:
                unit.want_notice(now)
            private = {
                "addresses": " ".join(setting.addresses),
                "days": " ".join(map(str, setting.days)),
            }
            unit.audit(_event(scope, "set", f"tenant:{scope.tenant}", private, request_digest))
            await unit.commit()
        return setting

    async def tell(self, scope: TenantScope) -> bool:
        """Write what is due, then send the oldest mail; whether there are more to send.

        `Problem(mail.unavailable)` when the mail could not be sent now.
        """
        setting = await self.get_setting(scope)
        if self.mailer is None or not setting.addresses:
            return False
        await self._write(scope, setting)
        mail = await self.store.find_mail(scope)
        if mail is None:
            return False
        await self._send(scope, mail, self.mailer)
        return await self.store.find_mail(scope) is not None

    async def _write(self, scope: TenantScope, setting: NoticeSetting) -> None:
        now = self.clock.now()
        marks = await self.store.notice_marks(scope)
        digest = await self._digest(scope, setting, marks, now)
        async with self.store.open_unit(scope) as unit:
            for days in setting.days:
                mark, end = marks.get(days), now + timedelta(days=days)
                if mark is None or mark < end:
                    unit.move_notice_mark(days, mark, end)
            if digest.count:
                subject, text = write_notice(
                    scope.tenant, setting.language, digest.groups, digest.more_before
                )
                octets = time_ordered(int(now.timestamp() * 1000), self.randomness.octets(10))
                mail = Mail(
                    encode_id("mail", octets), now, setting.addresses, setting.language, subject,
                    text,
                )  # fmt: skip
                unit.add_mail(mail)
                private = {"certificates": str(digest.count)}
                unit.audit(_event(scope, "write", f"mail:{mail.id}", private))
            await unit.commit()

    async def _digest(
        self,
        scope: TenantScope,
        setting: NoticeSetting,
        marks: Mapping[int, datetime],
        now: datetime,
    ) -> _Digest:
        """The certificates that came within a threshold since its mark, each under the nearest.

        Responders' are left out: the platform renews them itself.
        """
        digest = _Digest({days: [] for days in setting.days})
        told = set()
        for days in sorted(setting.days):
            end = now + timedelta(days=days)
            query = CertificateQuery(
                state=CertificateState.VALID,
                expires_after=marks.get(days),
                expires_before=end,
                limit=PAGE_MAXIMUM,
            )
            if query.expires_after is not None and query.expires_after >= end:
                continue
            more = True
            while more:
                page = await self.store.list_certificates(scope, query, now)
                more, query = page.following is not None, replace(query, after=page.following)
                successors = await self.store.find_successors(
                    scope, [entry.id for entry in page.entries]
                )
                for entry in page.entries:
                    if entry.id in told or entry.profile == OCSP_RESPONDER.name:
                        continue
                    successor = successors.get(entry.id)
                    if successor is not None and await self._lives_longer(scope, successor, entry):
                        continue
                    if await self._is_renewed(scope, entry, now):
                        continue
                    if digest.count == ENTRIES_MAXIMUM:
                        digest.more_before = now + timedelta(days=max(setting.days))
                        return digest
                    told.add(entry.id)
                    digest.groups[days].append(entry)
        return digest

    async def _lives_longer(
        self, scope: TenantScope, successor: CertificateId, entry: CertificateEntry
    ) -> bool:
        """Whether what took a certificate's place is good and expires later."""
        found = await self.store.get_certificate(scope, successor)
        if found.not_after <= entry.not_after:
            return False
        return await self.store.find_revocation(scope, found.issuer, found.serial) is None

    async def _is_renewed(self, scope: TenantScope, entry: CertificateEntry, now: datetime) -> bool:
        """Whether a newer valid one has the same profile, subject and alternative names: it may
        have been asked for as if it were a first one."""
        names = await self._names(scope, entry)
        query = CertificateQuery(
            profile=entry.profile,
            state=CertificateState.VALID,
            expires_after=entry.not_after + _SECOND,
            limit=_NEWER_MAXIMUM,
        )
        first = _first(names)
        if entry.subject:
            query = replace(query, subject=SubjectMatch(entry.subject))
        elif first is not None:
            query = replace(query, name=NameMatch(first.kind, first.value))
        else:
            return False
        newer = await self.store.list_certificates(scope, query, now)
        for other in newer.entries:
            if other.subject == entry.subject and await self._names(scope, other) == names:
                return True
        return False

    async def _names(self, scope: TenantScope, entry: CertificateEntry) -> bytes | None:
        """The value of a certificate's subjectAltName, as it stands."""
        found = await self.store.get_certificate(scope, entry.id)
        tbs = parse_tbs_certificate(parse_certificate(found.der).tbs)
        extension = tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
        return None if extension is None else extension.value

    async def _send(self, scope: TenantScope, mail: Mail, mailer: Mailer) -> None:
        """Hand a mail over; who did not take it for now gets it again, and nobody else."""
        is_last_try = self.clock.now() - mail.created_at >= TRIED_FOR
        try:
            delivery = await mailer.send(mail)
        except Problem:
            if not is_last_try:
                raise
            delivery = Delivery(mail.addresses)
        if is_last_try:
            delivery = Delivery(delivery.refused + delivery.deferred)
        async with self.store.open_unit(scope) as unit:
            if delivery.deferred:
                unit.readdress_mail(mail.id, delivery.deferred)
            else:
                unit.remove_mail(mail.id)
            private = {"refused": " ".join(delivery.refused)}
            if delivery.deferred:
                private["deferred"] = " ".join(delivery.deferred)
            decision = Decision.ALLOWED
            if len(delivery.refused) == len(mail.addresses):
                decision = Decision.REFUSED
            unit.audit(_event(scope, "send", f"mail:{mail.id}", private, decision=decision))
            await unit.commit()
        if delivery.deferred:
            raise Problem(ProblemCode.MAIL_UNAVAILABLE, "some addresses are to be tried again")


def _first(names: bytes | None) -> GeneralName | None:
    try:
        return None if names is None else parse_general_names(names)[0]
    except (DerError, IndexError):
        return None


def _event(
    scope: TenantScope,
    act: str,
    subject: str,
    private: Mapping[str, str],
    request_digest: bytes = _NO_REQUEST,
    decision: Decision = Decision.ALLOWED,
) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"registration:expiry-notice:{act}",
        decision=decision,
        subject=subject,
        request_digest=request_digest,
        private=private,
        code=ProblemCode.MAIL_UNAVAILABLE if decision is Decision.REFUSED else "",
    )
