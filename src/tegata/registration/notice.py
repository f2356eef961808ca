"""Notices before certificates expire: what a tenant asks for, and what it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tegata.issuance.serials import serial_text
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import LANGUAGES, translate
from tegata.registration.model import CertificateEntry

ADDRESSES_MAXIMUM = 10
THRESHOLDS_MAXIMUM = 10
DAYS_MAXIMUM = 365
DAYS_DEFAULT = (30, 14, 7, 1)
# Certificates in one mail; what is more is said to be more.
ENTRIES_MAXIMUM = 500
# How often a tenant's certificates are looked at.
NOTICE_PERIOD = timedelta(hours=1)
# For how long a mail is tried (RFC 5321 section 4.5.4.1 asks for 4 to 5 days).
TRIED_FOR = timedelta(days=5)
# RFC 5321 section 4.1.2, without quoted local parts and address literals; ASCII, because not
# every server on the way takes SMTPUTF8.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*@{_LABEL}(?:\.{_LABEL})*")
_LOCAL_PART_MAXIMUM = 64
_ADDRESS_MAXIMUM = 254

_SUBJECT = "Certificates expire soon: {count}"
_BEGIN = "These certificates expire soon. Renew those that are still needed."
_WITHIN = "Within {days} days:"
_ITEM = "{not_after}  {subject}"
_DETAILS = "    serial number {serial}, profile {profile}, {id}"
_NO_SUBJECT = "(no subject)"
_MORE = "There are more than this mail has room for. List them all with:"
_RENEWED = (
    "Certificates with a newer one of the same subject, names and profile are left out, and so "
    "are revoked ones."
)
_WHY = "This mail is for tenant {tenant}, whose settings name this address for such notices."
NOTICE_TEXTS = (_SUBJECT, _BEGIN, _WITHIN, _DETAILS, _NO_SUBJECT, _MORE, _RENEWED, _WHY)


@dataclass(frozen=True, slots=True)
class NoticeSetting:
    """Who is told, how many days before, and in which of `kernel.wording.LANGUAGES`.

    Without addresses nobody is told.
    """

    addresses: tuple[str, ...] = ()
    days: tuple[int, ...] = DAYS_DEFAULT
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is to be sent, until it was. Its `id` becomes its Message-ID, so that a copy
    sent twice can be known as one."""

    id: str
    created_at: datetime
    addresses: tuple[str, ...]
    language: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """To whom a mail did not go: refused for good, or only for now. The others have it."""

    refused: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()


def is_mail_address(text: str) -> bool:
    """Whether a text is an address that mail can be sent to."""
    return (
        len(text) <= _ADDRESS_MAXIMUM
        and len(text.partition("@")[0]) <= _LOCAL_PART_MAXIMUM
        and _ADDRESS.fullmatch(text) is not None
    )


def require_notice_setting(setting: NoticeSetting) -> NoticeSetting:
    """The setting in order; `Problem(request.malformed)` says what is wrong with it."""
    addresses = tuple(dict.fromkeys(setting.addresses))
    if len(addresses) > ADDRESSES_MAXIMUM:
        raise _malformed(f"at most {ADDRESSES_MAXIMUM} addresses")
    for address in addresses:
        if not is_mail_address(address):
            raise _malformed("an address is LOCAL@DOMAIN in ASCII")
    days = tuple(sorted(set(setting.days), reverse=True))
    if not 1 <= len(days) <= THRESHOLDS_MAXIMUM or not all(
        1 <= each <= DAYS_MAXIMUM for each in days
    ):
        raise _malformed(f"days are 1 to {THRESHOLDS_MAXIMUM} numbers from 1 to {DAYS_MAXIMUM}")
    if setting.language not in LANGUAGES:
        raise _malformed("language is one of " + ", ".join(LANGUAGES))
    return NoticeSetting(addresses, days, setting.language)


def write_notice(
    tenant: TenantId,
    language: str,
    groups: Mapping[int, Sequence[CertificateEntry]],
    more_before: datetime | None,
) -> tuple[str, str]:
    """Subject and text of a mail about certificates, grouped by the days that are left.

    `more_before` is the end of the window when there are more than are given.
    """

    def say(text: str, **values: object) -> str:
        return translate(text, language).format(**values)

    count = f"{sum(map(len, groups.values()))}{'+' if more_before is not None else ''}"
    lines = [say(_BEGIN)]
    for days, entries in sorted(groups.items()):
        if entries:
            lines += ["", say(_WITHIN, days=days), ""]
        for entry in entries:
            subject = entry.subject or say(_NO_SUBJECT)
            lines.append(_ITEM.format(not_after=_text(entry.not_after), subject=subject))
            lines.append(
                say(
                    _DETAILS,
                    serial=serial_text(entry.serial),
                    profile=entry.profile,
                    id=entry.id,
                )
            )
    if more_before is not None:
        until = more_before.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        command = f"    tegata certificate list --state valid --expires-before {until}"
        lines += ["", say(_MORE), "", command]
    lines += ["", say(_RENEWED), say(_WHY, tenant=tenant), ""]
    return say(_SUBJECT, count=count), "\n".join(lines)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _malformed(detail: str) -> Problem:
    return Problem(ProblemCode.REQUEST_MALFORMED, detail)
