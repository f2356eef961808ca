"""The orders in which certificates are listed: each is a range of one index, read page by page.

Every statement is bounded from where the page before ended, by keys and never by OFFSET, and by
the expiry months that can hold what is asked for, so that PostgreSQL plans over few partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    asc,
    bindparam,
    desc,
    select,
    tuple_,
)

from tegata.kernel.ids import IssuerId, encode_certificate_id
from tegata.registration.model import CertificateEntry, CertificateQuery
from tegata.registration.search import matches
from tegata.revocation.model import CertificateStatus, Status
from tegata.store.instants import from_milliseconds
from tegata.store.revocation import revoked_status
from tegata.store.schema import HELD, certificate, certificate_name, issuer, revocation
from tegata.store.statement import NO_OFFSET, Row, Statement

Key = tuple[Any, ...]

_TENANT: BindParameter[str] = bindparam("tenant")
_COLUMNS = (
    certificate.c.id,
    certificate.c.issuer,
    certificate.c.serial,
    certificate.c.profile,
    certificate.c.subject,
    certificate.c.not_before,
    certificate.c.not_after,
    revocation.c.revoked_at,
    revocation.c.reason,
    revocation.c.invalid_since,
)
_PLACES = {column.name: place for place, column in enumerate(_COLUMNS)}
_ITS_REVOCATION = and_(
    revocation.c.tenant == certificate.c.tenant,
    revocation.c.issuer == certificate.c.issuer,
    revocation.c.serial == certificate.c.serial,
)


def _within(epoch: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(epoch >= bindparam("epoch_low"), epoch <= bindparam("epoch_high"))


_CERTIFICATES = (
    select(*_COLUMNS)
    .outerjoin(revocation, _ITS_REVOCATION)
    .where(certificate.c.tenant == _TENANT, _within(certificate.c.epoch))
)
_NAMED = (
    select(*_COLUMNS, certificate_name.c.name)
    .select_from(certificate_name)
    .join(
        certificate,
        and_(
            certificate.c.tenant == certificate_name.c.tenant,
            certificate.c.id == certificate_name.c.certificate,
            certificate.c.epoch == certificate_name.c.epoch,
        ),
    )
    .outerjoin(revocation, _ITS_REVOCATION)
    .where(certificate_name.c.tenant == _TENANT, _within(certificate_name.c.epoch))
)
# Void serials, which no certificate stands under, are in no list of certificates.
_REVOKED = (
    select(*_COLUMNS, revocation.c.listed_until)
    .select_from(revocation)
    .join(
        certificate,
        and_(
            certificate.c.issuer == revocation.c.issuer,
            certificate.c.serial == revocation.c.serial,
            certificate.c.epoch == revocation.c.epoch,
        ),
    )
    .where(
        revocation.c.tenant == _TENANT,
        certificate.c.tenant == _TENANT,
        revocation.c.certificate.is_not(None),
        _within(certificate.c.epoch),
    )
)
_OF_ANY_ISSUER = (
    select(*_COLUMNS)
    .select_from(issuer)
    .join(certificate, certificate.c.issuer == issuer.c.id)
    .outerjoin(revocation, _ITS_REVOCATION)
    .where(
        issuer.c.tenant == _TENANT,
        certificate.c.tenant == _TENANT,
        certificate.c.serial > bindparam("lowest"),
        _within(certificate.c.epoch),
    )
)


class _Listing:
    """A range of an index, in its order and in the reverse one. Its end is left out, but
    where it is the last value of a column."""

    def __init__(
        self,
        rows: Select[Row],
        keys: Sequence[ColumnElement[Any]],
        places: Sequence[int],
        *,
        last: ColumnElement[Any] | None = None,
    ) -> None:
        self._places = tuple(places)
        row = tuple_(*keys)
        start = tuple_(*(bindparam(f"start_{place}") for place in range(len(keys))))
        stop: BindParameter[Any] = bindparam("stop")
        until = keys[0] < stop if last is None else last <= stop
        limit: BindParameter[int] = bindparam("limit")
        page = rows.limit(limit).offset(NO_OFFSET)
        forwards = page.where(row > start, until).order_by(*map(asc, keys))
        backwards = page.where(row < start, keys[0] >= stop).order_by(*map(desc, keys))
        self.ascending = Statement(forwards, planned_once=True)
        self.descending = Statement(backwards, planned_once=True)

    def key(self, row: Row) -> Key:
        """Where a row stands in the order."""
        return tuple(row[place] for place in self._places)


_ID = _PLACES["id"]
_SERIAL = _PLACES["serial"]
_EXPIRY = (certificate.c.not_after, certificate.c.id), (_PLACES["not_after"], _ID)
_REVOCATION_KEYS = (revocation.c.listed_until, revocation.c.issuer, revocation.c.serial)
_REVOCATION_PLACES = (len(_COLUMNS), _PLACES["issuer"], _SERIAL)
_OF_ISSUER = certificate.c.issuer == bindparam("issuer")


class Order(Enum):
    """The orders in which certificates are listed."""

    NEWEST = _Listing(_CERTIFICATES, (certificate.c.id,), (_ID,))
    EXPIRY = _Listing(_CERTIFICATES, *_EXPIRY)
    EXPIRY_OF_PROFILE = _Listing(
        _CERTIFICATES.where(certificate.c.profile == bindparam("profile")), *_EXPIRY
    )
    EXPIRY_OF_ISSUER = _Listing(_CERTIFICATES.where(_OF_ISSUER), *_EXPIRY)
    EXPIRY_OF_REVOKED = _Listing(_REVOKED, _REVOCATION_KEYS, _REVOCATION_PLACES)
    EXPIRY_OF_HELD = _Listing(_REVOKED.where(HELD), _REVOCATION_KEYS, _REVOCATION_PLACES)
    SUBJECT = _Listing(
        _CERTIFICATES,
        (certificate.c.subject, certificate.c.id),
        (_PLACES["subject"], _ID),
    )
    NAME = _Listing(
        _NAMED, (certificate_name.c.name, certificate_name.c.certificate), (len(_COLUMNS), _ID)
    )
    SERIAL_OF_ISSUER = _Listing(
        _CERTIFICATES.where(_OF_ISSUER),
        (certificate.c.serial,),
        (_SERIAL,),
        last=certificate.c.serial,
    )
    SERIAL = _Listing(
        _OF_ANY_ISSUER,
        (certificate.c.issuer, certificate.c.serial),
        (_PLACES["issuer"], _SERIAL),
        last=certificate.c.serial,
    )
    FINGERPRINT = _Listing(
        _CERTIFICATES.add_columns(certificate.c.fingerprint),
        (certificate.c.fingerprint, certificate.c.id),
        (len(_COLUMNS), _ID),
        last=certificate.c.fingerprint,
    )

    def key(self, row: Row) -> Key:
        """Where a row stands in this order."""
        listing: _Listing = self.value
        return listing.key(row)

    def statement(self, *, ascending: bool) -> Statement:
        """What reads a range of this order."""
        listing: _Listing = self.value
        return listing.ascending if ascending else listing.descending


_GOOD = CertificateStatus(Status.GOOD)


def status_of(row: Row) -> CertificateStatus:
    """A certificate's status from the columns that every order has."""
    return _GOOD if row[7] is None else revoked_status(row[7:10])


def is_meant(query: CertificateQuery, row: Row, now: datetime) -> bool:
    """Whether a row is what was searched for, as far as its columns say."""
    not_after = from_milliseconds(row[6])
    return matches(query, IssuerId(row[1]), row[3], not_after, status_of(row), now)


def entry_of(row: Row) -> CertificateEntry:
    """A certificate from the columns that every order has."""
    identifier, issuer_id, serial, profile, subject, not_before, not_after = row[:7]
    return CertificateEntry(
        id=encode_certificate_id(bytes(identifier)),
        issuer=IssuerId(issuer_id),
        serial=int.from_bytes(serial, "big"),
        profile=profile,
        subject=subject,
        not_before=from_milliseconds(not_before),
        not_after=from_milliseconds(not_after),
        status=status_of(row),
    )
