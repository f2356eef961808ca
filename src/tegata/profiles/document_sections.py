"""The tables of a document that every certificate has something of: names, key, time, usage."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

from tegata.pkix.algorithms import KEY_KINDS, RSA_KINDS, KeyKind
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import GeneralNameKind
from tegata.profiles.document_reader import Reader
from tegata.profiles.model import (
    NAMES_MAXIMUM,
    RSA_BITS_MINIMUM,
    NameRule,
)
from tegata.profiles.public_key import RSA_BITS
from tegata.profiles.subject_alternative_name import is_dns_name
from tegata.profiles.vocabulary import (
    ATTRIBUTES,
    KEY_USAGES,
    NAME_KINDS,
    PURPOSE_NAMES,
    PURPOSES,
    is_oid,
)

_NO_TIME = timedelta(0)
NO_END = "99991231235959Z"


def validity(reader: Reader) -> tuple[timedelta, timedelta, bool]:
    """The period that certificates get, the longest they may have, and whether they never end."""
    table = reader.table("validity", "period", "maximum", "notAfter")
    endless = table.has("notAfter") and table.choice("notAfter", NO_END, (NO_END,)) == NO_END
    period, maximum = table.duration("period"), table.duration("maximum")
    if endless:
        if table.has("period") or table.has("maximum"):
            table.wrong("document.period-and-end", "notAfter")
        return _NO_TIME, _NO_TIME, True
    if not table.has("period"):
        table.wrong("document.missing-field", "period", example='period = "90d"')
    if period is None:
        return _NO_TIME, _NO_TIME, False
    if maximum is not None and maximum < period:
        table.wrong("document.period-order", "maximum")
    return period, maximum or period, False


def public_keys(reader: Reader) -> tuple[frozenset[KeyKind], int]:
    """The kinds of keys, and the bits that an RSA key needs."""
    table = reader.table("subjectPublicKeyInfo", "algorithms", "rsaMinimumBits")
    names = table.choices("algorithms", KEY_KINDS) if table.has("algorithms") else KEY_KINDS
    kinds = frozenset(KeyKind(name) for name in names)
    if not kinds:
        table.wrong("document.missing-field", "algorithms", example='algorithms = ["ec-p256"]')
    bits = table.number("rsaMinimumBits", RSA_BITS_MINIMUM, *RSA_BITS)
    if not kinds & RSA_KINDS and table.has("rsaMinimumBits"):
        table.wrong("document.rsa-bits", "rsaMinimumBits")
    return kinds, bits or RSA_BITS_MINIMUM


def subject(
    reader: Reader,
) -> tuple[frozenset[str], frozenset[str], tuple[tuple[str, str], ...]]:
    """The attribute types a subject may have and must have, and values that are given."""
    table = reader.table("subject", "allowed", "required", "fixed")
    allowed = table.choices("allowed", tuple(ATTRIBUTES))
    required = table.choices("required", tuple(ATTRIBUTES))
    given = table.table("fixed", *ATTRIBUTES)
    fixed = {name: given.text(name, maximum=128) for name in ATTRIBUTES if given.has(name)}
    for field, values in (("required", required), ("fixed", tuple(fixed))):
        for value in values:
            if value not in allowed:
                table.wrong("document.not-allowed-attribute", field, value=value)
    return (
        frozenset(ATTRIBUTES[name] for name in allowed),
        frozenset(ATTRIBUTES[name] for name in required),
        tuple(sorted((ATTRIBUTES[name], value) for name, value in fixed.items())),
    )


def names(
    reader: Reader,
) -> tuple[frozenset[GeneralNameKind], bool, tuple[NameRule, ...]]:
    """The kinds of alternative names, whether there must be any, and what is said of each kind."""
    table = reader.table("subjectAltName", "required", *NAME_KINDS)
    kinds, rules = [], []
    for field, kind in NAME_KINDS.items():
        if not table.has(field):
            continue
        kinds.append(kind)
        rule = _name_rule(table, field, kind)
        # What says no more than the kind costs nothing later.
        if rule != NameRule(kind, wildcard=kind is GeneralNameKind.DNS):
            rules.append(rule)
    return frozenset(kinds), table.flag("required", False), tuple(rules)


def _name_rule(table: Reader, field: str, kind: GeneralNameKind) -> NameRule:
    known = ("minimum", "maximum", "within")
    rule = table.table(field, *known, *(("wildcard",) if kind is GeneralNameKind.DNS else ()))
    minimum = rule.number("minimum", 0, 0, NAMES_MAXIMUM) or 0
    maximum = rule.number("maximum", NAMES_MAXIMUM, 1, NAMES_MAXIMUM) or NAMES_MAXIMUM
    if minimum > maximum:
        rule.wrong("document.name-counts", "minimum")
    within = rule.texts("within")
    for base in within:
        if not _is_base(kind, base):
            example = {
                GeneralNameKind.IP: "192.0.2.0/24",
                GeneralNameKind.HARDWARE_MODULE: "1.3.6.1.4.1.99999.1",
            }.get(kind, "example.co.jp")
            rule.wrong("document.base", "within", value=base, kind=field, example=example)
    wildcard = kind is GeneralNameKind.DNS and rule.flag("wildcard", False)
    return NameRule(kind, minimum, maximum, wildcard, tuple(sorted(within)))


def _is_base(kind: GeneralNameKind, text: str) -> bool:
    match kind:
        case GeneralNameKind.IP:
            return is_network(text)
        case GeneralNameKind.HARDWARE_MODULE:
            return is_oid(text)
        case _:
            return is_dns_name(text) and not text.startswith("*.")


def is_network(text: str) -> bool:
    """Whether `text` is an address range with its prefix length, and no bits beyond it."""
    try:
        return str(ipaddress.ip_network(text)) == text
    except ValueError:
        return False


def key_usage(reader: Reader) -> tuple[frozenset[KeyUsage], bool, bool]:
    """The key usages, whether RSA keys have keyEncipherment too and EC keys keyAgreement."""
    table = reader.table("keyUsage", "always", "rsa", "ec")
    always = table.choices("always", tuple(KEY_USAGES))
    for_rsa = bool(table.choices("rsa", ("keyEncipherment",)))
    for_ec = bool(table.choices("ec", ("keyAgreement",)))
    return frozenset(KEY_USAGES[each] for each in always), for_rsa, for_ec


def purposes(reader: Reader) -> tuple[tuple[str, ...], bool]:
    """The extended key usages in order, and whether the extension is critical."""
    table = reader.table("extKeyUsage", "purposes", "critical")
    found = []
    for each in table.texts("purposes"):
        if each in PURPOSES:
            found.append(PURPOSES[each])
        elif is_oid(each) and each not in PURPOSE_NAMES:
            found.append(each)
        elif each in PURPOSE_NAMES:
            allowed = PURPOSE_NAMES[each]
            table.wrong("document.value", "purposes", value=each, allowed=allowed)
        else:
            allowed = ", ".join((*PURPOSES, "1.3.6.1.4.1.99999.1"))
            table.wrong("document.value", "purposes", value=each, allowed=allowed)
    return tuple(found), table.flag("critical", False)
