"""Notices before certificates expire, as rows: settings, marks, and mails that wait."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, delete, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.kernel.scope import TenantScope
from tegata.registration.notice import Mail, NoticeSetting
from tegata.store import schema
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import NOTICE_JOB, WANT_JOB
from tegata.store.reads import ReadsBase
from tegata.store.schema import notice_mail, notice_mark, notice_setting
from tegata.store.statement import NO_OFFSET, Statement
from tegata.store.unit import UnitBase

_TENANT: BindParameter[str] = bindparam("tenant")
_FIND_SETTING = Statement(
    select(notice_setting.c.addresses, notice_setting.c.days, notice_setting.c.language).where(
        notice_setting.c.tenant == _TENANT
    )
)
_put = upsert(notice_setting).values(
    {column.name: bindparam(column.name) for column in notice_setting.columns}
)
_SET_SETTING = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant"],
        set_={
            name: _put.excluded[name] for name in ("addresses", "days", "language", "changed_at")
        },
    )
)
_MARKS = Statement(
    select(notice_mark.c.days, notice_mark.c.told_until).where(notice_mark.c.tenant == _TENANT)
)
_MOVE_MARK = Statement(
    update(notice_mark)
    .where(
        notice_mark.c.tenant == _TENANT,
        notice_mark.c.days == bindparam("threshold"),
        notice_mark.c.told_until == bindparam("before"),
    )
    .values(told_until=bindparam("until"))
)
_FIND_MAIL = Statement(
    select(
        notice_mail.c.id,
        notice_mail.c.created_at,
        notice_mail.c.addresses,
        notice_mail.c.language,
        notice_mail.c.subject,
        notice_mail.c.content,
    )
    .where(notice_mail.c.tenant == _TENANT)
    .order_by(notice_mail.c.id)
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)
_READDRESS_MAIL = Statement(
    update(notice_mail)
    .where(notice_mail.c.tenant == _TENANT, notice_mail.c.id == bindparam("mail"))
    .values(addresses=bindparam("left"))
)
_REMOVE_MAIL = Statement(
    delete(notice_mail).where(
        notice_mail.c.tenant == _TENANT, notice_mail.c.id == bindparam("mail")
    )
)


class NoticeReads(ReadsBase):
    """Notices of one tenant."""

    async def find_notice_setting(self, scope: TenantScope) -> NoticeSetting | None:
        """What the tenant asked for, if it did."""
        rows = await self.database.fetch(scope.tenant, _FIND_SETTING, {})
        if not rows:
            return None
        addresses, days, language = rows[0]
        return NoticeSetting(tuple(json.loads(addresses)), tuple(json.loads(days)), language)

    async def notice_marks(self, scope: TenantScope) -> Mapping[int, datetime]:
        """Up to when certificates were told of, by threshold in days."""
        rows = await self.database.fetch(scope.tenant, _MARKS, {})
        return {days: from_milliseconds(until) for days, until in rows}

    async def find_mail(self, scope: TenantScope) -> Mail | None:
        """The tenant's oldest mail that was not sent."""
        rows = await self.database.fetch(scope.tenant, _FIND_MAIL, {})
        if not rows:
            return None
        identifier, created_at, addresses, language, subject, text = rows[0]
        return Mail(
            identifier,
            from_milliseconds(created_at),
            tuple(json.loads(addresses)),
            language,
            subject,
            text,
        )


class NoticeWrites(UnitBase):
    """Notices in a unit."""

    def set_notice_setting(self, setting: NoticeSetting, now: datetime) -> None:
        """Replace the tenant's setting."""
        self._execute(
            _SET_SETTING,
            {
                "tenant": self.scope.tenant,
                "addresses": json.dumps(setting.addresses),
                "days": json.dumps(setting.days),
                "language": setting.language,
                "changed_at": to_milliseconds(now),
            },
        )

    def move_notice_mark(self, days: int, before: datetime | None, until: datetime) -> None:
        """Say up to when certificates were told of at a threshold."""
        tenant, told_until = self.scope.tenant, to_milliseconds(until)
        if before is None:
            self._insert(notice_mark, tenant=tenant, days=days, told_until=told_until)
            return
        self._execute(
            _MOVE_MARK,
            {
                "tenant": tenant,
                "threshold": days,
                "before": to_milliseconds(before),
                "until": told_until,
            },
        )

    def add_mail(self, mail: Mail) -> None:
        """Queue a mail."""
        self._insert(
            schema.notice_mail,
            tenant=self.scope.tenant,
            id=mail.id,
            created_at=to_milliseconds(mail.created_at),
            addresses=json.dumps(mail.addresses),
            language=mail.language,
            subject=mail.subject,
            content=mail.text,
        )

    def readdress_mail(self, mail: str, addresses: Sequence[str]) -> None:
        """Leave a mail for some of its addresses; the unit conflicts when it was forgotten."""
        parameters = {"tenant": self.scope.tenant, "mail": mail, "left": json.dumps(addresses)}
        self._execute(_READDRESS_MAIL, parameters)

    def remove_mail(self, mail: str) -> None:
        """Forget a mail; the unit conflicts when it was forgotten already."""
        self._execute(_REMOVE_MAIL, {"tenant": self.scope.tenant, "mail": mail})

    def want_notice(self, at: datetime) -> None:
        """Ask for the tenant's notices to be looked after at an instant or earlier."""
        self._execute(
            WANT_JOB,
            {
                "kind": NOTICE_JOB,
                "key": self.scope.tenant,
                "job_tenant": self.scope.tenant,
                "run_at": to_milliseconds(at),
            },
        )
