"""The query of a search for certificates, and of pages."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.names import GeneralNameKind
from tegata.protocols.rest.operation import Call, NoBody, Parameter, id_schema
from tegata.protocols.rest.pages import PAGE_LIMIT, page_limit
from tegata.registration.model import (
    CertificateQuery,
    CertificateState,
    FingerprintMatch,
    NameMatch,
    SerialMatch,
    SubjectMatch,
)
from tegata.registration.search import fingerprint_match, serial_match, serial_prefix_match

_KINDS = ", ".join(GeneralNameKind)
_TEXT_MAXIMUM = 1024
_TEXT: Mapping[str, str | int] = {"type": "string", "minLength": 1, "maxLength": _TEXT_MAXIMUM}
_AFTER: Mapping[str, str | int] = {
    "type": "string",
    "pattern": f"^[A-Za-z0-9_-]{{1,{_TEXT_MAXIMUM}}}$",
}
# 1 to 20 octets (RFC 5280 section 4.1.2.2), with colons between them or without.
_SERIAL: Mapping[str, str | int] = {
    "type": "string", "pattern": "^[0-9A-Fa-f]{1,2}(:?[0-9A-Fa-f]{2}){0,19}$",
}  # fmt: skip
# RFC 1035 section 2.3.4, as text.
_DNS_NAME: Mapping[str, str | int] = {"type": "string", "minLength": 1, "maxLength": 253}
_STATE: Mapping[str, str | int] = {
    "type": "string", "pattern": "^(" + "|".join(CertificateState) + ")$",
}  # fmt: skip
_NAME: Mapping[str, str | int] = {
    "type": "string", "pattern": "^(" + "|".join(GeneralNameKind) + "):.+$",
    "maxLength": _TEXT_MAXIMUM,
}  # fmt: skip
_DATE: Mapping[str, str | int] = {"type": "string", "format": "date"}
SEARCH_PARAMETERS = (
    Parameter("issuer", "only of this issuer", id_schema("iss")),
    Parameter("profile", "only of this profile", _TEXT),
    Parameter("state", "only in this state", _STATE),
    Parameter("expires_after", "only what expires then or later (a date, or RFC 3339)", _DATE),
    Parameter("expires_before", "only what expires before then (a date, or RFC 3339)", _DATE),
    Parameter("name", "only with this alternative name", _NAME),
    Parameter("name_prefix", "only with a name that begins so; dns: name and subtree", _NAME),
    Parameter("dns_name", "the same as name=dns:", _DNS_NAME),
    Parameter("subject", "only with this subject, as lists show it", _TEXT),
    Parameter("subject_prefix", "only with a subject that begins so", _TEXT),
    Parameter("serial", "only with this serial number (hexadecimal)", _SERIAL),
    Parameter("serial_prefix", "only with a serial number that begins so (hexadecimal)", _SERIAL),
    Parameter(
        "fingerprint", "only with this SHA-256 of its DER (hexadecimal)",
        {"type": "string", "pattern": "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$"},
    ),
    Parameter(
        "fingerprint_prefix", "only with a SHA-256 that begins so (hexadecimal)",
        {"type": "string", "pattern": "^[0-9A-Fa-f]{8,64}$"},
    ),
    PAGE_LIMIT,
    Parameter("after", "the `next` of the page before", _AFTER),
)  # fmt: skip
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+ -]\d\d:\d\d))?", re.ASCII
)


def certificate_query(call: Call[NoBody]) -> CertificateQuery:
    """What a request searches for; `Problem(request.malformed)` says what is wrong with it."""
    given = call.query
    for name, text in given.items():
        if not text or len(text) > _TEXT_MAXIMUM:
            raise _malformed(f"{name} has 1 to {_TEXT_MAXIMUM} characters")
    issuer = given.get("issuer")
    return CertificateQuery(
        issuer=IssuerId(issuer) if issuer is not None else None,
        profile=given.get("profile"),
        state=_state(given),
        expires_after=_instant(given, "expires_after"),
        expires_before=_instant(given, "expires_before"),
        name=_name(given),
        subject=_subject(given),
        serial=_serial(given),
        fingerprint=_fingerprint(given),
        visible=call.principal.token.issuers,
        after=given.get("after"),
        limit=page_limit(given),
    )


def _one(given: Mapping[str, str], *names: str) -> tuple[str, str] | None:
    """Which of some parameters is given, and its text; they exclude each other."""
    found = [(name, given[name]) for name in names if name in given]
    if len(found) > 1:
        raise _malformed("give one of " + ", ".join(names))
    return found[0] if found else None


def _state(given: Mapping[str, str]) -> CertificateState | None:
    text = given.get("state")
    if text is None:
        return None
    try:
        return CertificateState(text)
    except ValueError as error:
        raise _malformed("state is one of " + ", ".join(CertificateState)) from error


def _instant(given: Mapping[str, str], name: str) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        whole = _INSTANT.fullmatch(text)
        instant = datetime.fromisoformat(text.replace(" ", "+").upper() if whole else "")
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _malformed(f"{name} is a date or a time as RFC 3339 writes them") from error


def _name(given: Mapping[str, str]) -> NameMatch | None:
    found = _one(given, "name", "name_prefix", "dns_name")
    if found is None:
        return None
    parameter, text = found
    if parameter == "dns_name":
        return NameMatch(GeneralNameKind.DNS, text.lower())
    kind_text, separator, value = text.partition(":")
    try:
        kind = GeneralNameKind(kind_text)
    except ValueError as error:
        raise _malformed(f"{parameter} is KIND:VALUE; kinds are {_KINDS}") from error
    if not separator or not value:
        raise _malformed(f"{parameter} is KIND:VALUE; kinds are {_KINDS}")
    prefix = parameter == "name_prefix"
    if kind is GeneralNameKind.DNS:
        value = value.lower().removeprefix("." if prefix else "")
    elif kind is GeneralNameKind.IP and not prefix:
        try:
            value = str(ipaddress.ip_address(value))
        except ValueError as error:
            raise _malformed(f"{parameter} is not an IP address") from error
    return NameMatch(kind, value, prefix)


def _subject(given: Mapping[str, str]) -> SubjectMatch | None:
    found = _one(given, "subject", "subject_prefix")
    return None if found is None else SubjectMatch(found[1], found[0] == "subject_prefix")


def _serial(given: Mapping[str, str]) -> SerialMatch | None:
    found = _one(given, "serial", "serial_prefix")
    if found is None:
        return None
    digits = _digits(*found)
    return serial_match(digits) if found[0] == "serial" else serial_prefix_match(digits)


def _fingerprint(given: Mapping[str, str]) -> FingerprintMatch | None:
    found = _one(given, "fingerprint", "fingerprint_prefix")
    if found is None:
        return None
    return fingerprint_match(_digits(*found), prefix=found[0] == "fingerprint_prefix")


def _digits(parameter: str, text: str) -> str:
    digits = text.replace(":", "")
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits):
        raise _malformed(f"{parameter} is hexadecimal")
    return digits


def _malformed(detail: str) -> Problem:
    return Problem(ProblemCode.REQUEST_MALFORMED, detail)
