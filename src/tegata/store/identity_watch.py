"""Consents, watches and their news, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, delete, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.identity.consent import Consent, ConsentId
from tegata.identity.jlis import ConsentState, StatusMethod
from tegata.identity.model import UserId
from tegata.identity.reasons import Reason
from tegata.identity.record import (
    ChangedStatus,
    Delivery,
    KnownCertificate,
    Watch,
    WatchedCertificate,
)
from tegata.kernel.problem import ProblemCode
from tegata.kernel.scope import TenantScope
from tegata.store.confirmation import ConfirmationReads, ConfirmationWrites
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.jobs import DELIVERY_JOB, WANT_JOB, WATCH_JOB
from tegata.store.schema import (
    identity_certificate,
    identity_consent,
    identity_delivery,
    identity_watch,
)
from tegata.store.statement import NO_OFFSET, Statement

_TENANT: BindParameter[str] = bindparam("tenant")
_consent, _known = identity_consent.c, identity_certificate.c

_FIND_CONSENT = Statement(
    select(
        _consent.person, _consent.purpose, _consent.sealed, _consent.state, _consent.given_at,
        _consent.expires_at, _consent.withdrawn_at,
    ).where(_consent.tenant == _TENANT, _consent.id == bindparam("consent"))
)  # fmt: skip
_SET_CONSENT = Statement(
    update(identity_consent)
    .where(_consent.tenant == _TENANT, _consent.id == bindparam("consent"))
    .values(state=bindparam("new_state"), withdrawn_at=bindparam("at"))
)
_FIND_WATCH = Statement(
    select(
        identity_watch.c.sealed, identity_watch.c.hours, identity_watch.c.method,
        identity_watch.c.changed_at, identity_watch.c.place,
    ).where(identity_watch.c.tenant == _TENANT)
)  # fmt: skip
_put_watch = upsert(identity_watch).values(
    {column.name: bindparam(column.name) for column in identity_watch.columns}
)
_SET_WATCH = Statement(
    _put_watch.on_conflict_do_update(
        index_elements=["tenant"],
        set_={
            name: _put_watch.excluded[name]
            for name in ("sealed", "hours", "method", "changed_at", "place")
        },
    )
)
_SET_PLACE = Statement(
    update(identity_watch)
    .where(identity_watch.c.tenant == _TENANT)
    .values(place=bindparam("new_place"))
)
_REMOVE_WATCH = Statement(delete(identity_watch).where(identity_watch.c.tenant == _TENANT))
_WATCHED = Statement(
    select(_known.tag, _known.person, _known.sealed, _known.seen_at, _known.reason)
    .where(
        _known.tenant == _TENANT,
        _known.tag > bindparam("after"),
        _known.shown == literal_column("1"),
    )
    .order_by(_known.tag)
    .limit(bindparam("limit"))
    .offset(NO_OFFSET)
)
_SET_REASON = Statement(
    update(identity_certificate)
    .where(_known.tenant == _TENANT, _known.tag == bindparam("known"))
    .values(reason=bindparam("new_reason"))
)
_FIND_DELIVERY = Statement(
    select(identity_delivery.c.id, identity_delivery.c.created_at, identity_delivery.c.body)
    .where(identity_delivery.c.tenant == _TENANT)
    .order_by(identity_delivery.c.id)
    .limit(literal_column("1"))
    .offset(NO_OFFSET)
)
_REMOVE_DELIVERY = Statement(
    delete(identity_delivery).where(
        identity_delivery.c.tenant == _TENANT, identity_delivery.c.id == bindparam("delivery")
    )
)
_REMOVE_DELIVERIES = Statement(
    delete(identity_delivery).where(identity_delivery.c.tenant == _TENANT)
)


class WatchReads(ConfirmationReads):
    """Consents, watches and news of one tenant."""

    async def find_identity_consent(self, scope: TenantScope, consent: ConsentId) -> Consent | None:
        """A consent of one of the tenant's users."""
        rows = await self.database.fetch(scope.tenant, _FIND_CONSENT, {"consent": consent})
        if not rows:
            return None
        person, purpose, sealed, state, given_at, expires_at, withdrawn_at = rows[0]
        vault = await self.identity_vault(scope)
        return Consent(
            consent,
            UserId(person),
            purpose,
            vault.open_text("identity_consent", consent, bytes(sealed)),
            ConsentState(state),
            from_milliseconds(given_at),
            from_milliseconds(expires_at),
            None if withdrawn_at is None else from_milliseconds(withdrawn_at),
        )

    async def find_watch(self, scope: TenantScope) -> Watch | None:
        """The tenant's watch."""
        rows = await self.database.fetch(scope.tenant, _FIND_WATCH, {})
        if not rows:
            return None
        sealed, hours, method, changed_at, place = rows[0]
        vault = await self.identity_vault(scope)
        secret, _space, url = vault.open_text(
            "identity_watch", scope.tenant, bytes(sealed)
        ).partition(" ")
        return Watch(
            url,
            bytes.fromhex(secret),
            hours,
            StatusMethod(method),
            from_milliseconds(changed_at),
            None if place is None else bytes(place),
        )

    async def watched_certificates(
        self, scope: TenantScope, after: bytes | None, limit: int
    ) -> Sequence[WatchedCertificate]:
        """A page of shown certificates with what a watch found last, in the order of tags."""
        parameters = {"after": after or b"", "limit": limit}
        rows = await self.database.fetch(scope.tenant, _WATCHED, parameters)
        vault = await self.identity_vault(scope)
        found = []
        for tag, person, sealed, seen_at, reason in rows:
            part = vault.open_certificate(bytes(tag), bytes(sealed))
            certificate = KnownCertificate(
                bytes(tag),
                UserId(person),
                part.reference,
                part.point,
                from_milliseconds(seen_at),
            )
            found.append(WatchedCertificate(certificate, Reason(reason) if reason else None))
        return found

    async def find_delivery(self, scope: TenantScope) -> Delivery | None:
        """The oldest news that waits."""
        rows = await self.database.fetch(scope.tenant, _FIND_DELIVERY, {})
        if not rows:
            return None
        identifier, created_at, body = rows[0]
        return Delivery(identifier, from_milliseconds(created_at), bytes(body))


class WatchWrites(ConfirmationWrites):
    """Consents, watches and news in a unit."""

    def add_consent(self, consent: Consent) -> None:
        """Keep a consent that was obtained."""
        withdrawn = consent.withdrawn_at
        self._insert(
            identity_consent,
            tenant=self.scope.tenant,
            id=consent.id,
            person=consent.user,
            purpose=consent.purpose,
            sealed=self.vault.seal_text("identity_consent", consent.id, consent.reference),
            state=consent.state,
            given_at=to_milliseconds(consent.given_at),
            expires_at=to_milliseconds(consent.expires_at),
            withdrawn_at=None if withdrawn is None else to_milliseconds(withdrawn),
        )

    def set_consent_state(self, consent: Consent) -> None:
        """Keep what became of a consent."""
        withdrawn = consent.withdrawn_at
        self._execute(
            _SET_CONSENT,
            {
                "tenant": self.scope.tenant,
                "consent": consent.id,
                "new_state": consent.state,
                "at": None if withdrawn is None else to_milliseconds(withdrawn),
            },
            otherwise=ProblemCode.CONSENT_UNKNOWN,
        )

    def set_watch(self, watch: Watch) -> None:
        """Watch, or watch otherwise."""
        text = f"{watch.secret.hex()} {watch.url}"
        self._execute(
            _SET_WATCH,
            {
                "tenant": self.scope.tenant,
                "sealed": self.vault.seal_text("identity_watch", self.scope.tenant, text),
                "hours": watch.hours,
                "method": watch.method,
                "changed_at": to_milliseconds(watch.changed_at),
                "place": watch.after,
            },
        )

    def set_watch_place(self, after: bytes | None) -> None:
        """Note how far a run has come; the unit conflicts when nothing is watched any more."""
        self._execute(_SET_PLACE, {"tenant": self.scope.tenant, "new_place": after})

    def remove_watch(self) -> None:
        """Watch no more, and forget what waits to be sent."""
        tenant = {"tenant": self.scope.tenant}
        self._execute(_REMOVE_WATCH, tenant, otherwise=ProblemCode.WATCH_UNKNOWN)
        self._execute(_REMOVE_DELIVERIES, tenant, expect=None)

    def set_known_reasons(self, changed: Sequence[ChangedStatus]) -> None:
        """Note what a watch found."""
        for each in changed:
            self._execute(
                _SET_REASON,
                {"tenant": self.scope.tenant, "known": each.tag, "new_reason": each.reason},
            )

    def add_delivery(self, delivery: Delivery) -> None:
        """Queue news."""
        self._insert(
            identity_delivery,
            tenant=self.scope.tenant,
            id=delivery.id,
            created_at=to_milliseconds(delivery.created_at),
            body=delivery.body,
        )

    def remove_delivery(self, delivery: str) -> None:
        """Forget news; the unit conflicts when it was forgotten already."""
        self._execute(_REMOVE_DELIVERY, {"tenant": self.scope.tenant, "delivery": delivery})

    def want_watch(self, at: datetime) -> None:
        """Ask for the tenant's watch to run at an instant or earlier."""
        self._want_job(WATCH_JOB, at)

    def want_delivery(self, at: datetime) -> None:
        """Ask for the tenant's news to be sent at an instant or earlier."""
        self._want_job(DELIVERY_JOB, at)

    def _want_job(self, kind: str, at: datetime) -> None:
        tenant = self.scope.tenant
        self._execute(
            WANT_JOB,
            {"kind": kind, "key": tenant, "job_tenant": tenant, "run_at": to_milliseconds(at)},
        )
