"""Rules for subjectAltName (RFC 5280 section 4.2.1.6)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.der import DerError
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.profiles.host_names import host_is_sound
from tegata.profiles.model import NAMES_MAXIMUM, CertificateKind, Subject, error
from tegata.profiles.name_rules import broken_name_rule

# Letters, digits and hyphens (RFC 1034 section 3.5 as RFC 1123 section 2.1 relaxed it); one
# wildcard may stand for the whole leftmost label (RFC 9525 section 6.3). Underscores are not
# host names. A-labels are what internationalised names look like here (RFC 5890).
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*{_LABEL}")
# A Mailbox of RFC 5321 section 4.1.2 with a Dot-string, which is what certificates carry in
# practice; its host part compares without case, its local part is kept as given.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}", re.ASCII | re.IGNORECASE)
# RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.3 (a path has two more, its angle brackets).
_LOCAL_PART_MAXIMUM, _EMAIL_MAXIMUM = 64, 254
# RFC 3986: a scheme, and then only characters that it reserves or leaves alone, or %XX.
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~-]|%[0-9A-Fa-f]{2})+"
)
# What stands before the @ of a name in UTF-8 (RFC 6531 section 3.3 and RFC 6532): any letter, but
# no blank, control or separating character.
_PRINCIPAL = re.compile(rf"[^\s@\"(),:;<>\[\\\]]{{1,64}}@(?:{_LABEL}\.)+{_LABEL}", re.IGNORECASE)
_PRINCIPAL_MAXIMUM = 254
_HARDWARE_MODULE = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,38})){2,30}:(?:[0-9a-f]{2}){1,64}")
_CITES = "RFC 5280 section 4.2.1.6"


def is_dns_name(text: str) -> bool:
    """Whether `text` is a host name in lower case, with or without a wildcard label."""
    if len(text) > 253 or not _DNS_NAME.fullmatch(text):
        return False
    last = text.rsplit(".", 1)[-1]
    # An all-numeric last label would be read as an address; *.tld matches too much.
    return not last.isdigit() and (not text.startswith("*.") or text.count(".") >= 2)


def alternative_names_allowed(subject: Subject) -> Finding | None:
    """The names are of the profile's kinds, well formed, without repetition, and not too many."""
    try:
        names = subject.names
    except DerError as problem:
        return error("subject-alternative-name.malformed", _CITES, str(problem))
    if names is None:
        if subject.profile.names_required:
            return error("subject-alternative-name.missing", _CITES, "a name must be certified")
        return None
    if not 1 <= len(names) <= NAMES_MAXIMUM:
        return error("subject-alternative-name.count", _CITES, f"1 to {NAMES_MAXIMUM} names")
    if len(set(names)) != len(names):
        return error("subject-alternative-name.repeated", _CITES, "a name stands twice")
    return _each_name(names, subject) or broken_name_rule(names, subject.profile)


def _each_name(names: tuple[GeneralName, ...], subject: Subject) -> Finding | None:
    for name in names:
        if name.kind not in subject.profile.name_kinds:
            return error(
                "subject-alternative-name.kind-not-allowed",
                _CITES,
                f"{subject.profile.name} certifies no {name.kind} names",
            )
        if not is_well_formed(name):
            return error(
                "subject-alternative-name.syntax", _CITES, f"not a well-formed {name.kind} name"
            )
        if not host_is_sound(name):
            return error(
                "subject-alternative-name.deceptive",
                "RFC 5891 section 5.4 and UTS 39 section 5.2",
                f"a label of the {name.kind} name is no A-label, or mixes or imitates scripts",
            )
    return None


def is_well_formed(name: GeneralName) -> bool:
    """Whether a general name's text is what its kind asks for."""
    match name.kind:
        case GeneralNameKind.DNS:
            return is_dns_name(name.value)
        case GeneralNameKind.EMAIL:
            return _is_email(name.value)
        case GeneralNameKind.URI:
            return _is_uri(name.value)
        case GeneralNameKind.IP:
            return True
        case GeneralNameKind.HARDWARE_MODULE:
            return _HARDWARE_MODULE.fullmatch(name.value) is not None
        case GeneralNameKind.UPN | GeneralNameKind.SMTP_UTF8:
            return _is_principal(name)


def _is_email(text: str) -> bool:
    return (
        len(text) <= _EMAIL_MAXIMUM
        and len(text.partition("@")[0]) <= _LOCAL_PART_MAXIMUM
        and _EMAIL.fullmatch(text) is not None
    )


def _is_principal(name: GeneralName) -> bool:
    text = name.value
    if len(text) > _PRINCIPAL_MAXIMUM or not text.isprintable():
        return False
    if name.kind is GeneralNameKind.SMTP_UTF8 and text.isascii():
        return False  # RFC 9598 section 3: such a mailbox is an rfc822Name
    return _PRINCIPAL.fullmatch(text) is not None


def _is_uri(text: str) -> bool:
    # RFC 5280: absolute, with a scheme and a scheme-specific part; an authority names a host.
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:  # a bracket that is no IPv6 address
        return False
    has_authority = text.partition(":")[2].startswith("//")
    return _URI.fullmatch(text) is not None and bool(host if has_authority else parts.path)


def alternative_name_criticality(subject: Subject) -> Finding | None:
    """With an empty subject the extension must be there and critical; else it is not critical.

    A CA's subject must not be empty at all, which another rule reports.
    """
    extension = subject.tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
    empty = subject.tbs.subject == b"\x30\x00"
    if empty and subject.profile.kind is CertificateKind.CA:
        return None
    if empty == (extension is not None and extension.critical):
        return None
    return error(
        "subject-alternative-name.criticality",
        _CITES,
        "critical when the subject is empty, and only then",
    )


def common_name_is_certified(subject: Subject) -> Finding | None:
    """A common name of a server certificate repeats one of its alternative names.

    Case is no difference (RFC 4343): requests often write the common name with capitals.
    """
    if oids.SERVER_AUTH not in subject.profile.extended_key_usage:
        return None
    extension = subject.tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
    if subject.tbs.subject == b"\x30\x00" or extension is None:
        return None
    try:
        certified = {name.value.lower() for name in subject.names or ()}
        rdns = subject.rdns
    except DerError:
        return None  # the rules for names and subject report it
    for attribute in (attribute for rdn in rdns for attribute in rdn):
        if attribute.attribute_type != oids.COMMON_NAME:
            continue
        if attribute.value.lower() not in certified:
            return error(
                "subject.common-name-not-certified",
                "RFC 9525 section 4.1",
                "the common name must be one of the subject alternative names",
            )
    return None
