"""End-entity certificates of JPKI-SIM: the real profile, extension by extension.

No URI of a CRL or a responder stands in them, as none does in real ones: whoever verifies is told
where to ask. The policies are the real ones; only the issuer says that all is simulated. Policies
of certificates on phones are not published, so those here are UUIDs of our own (ITU-T X.667).
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tegata.pkix.der import UTF8_STRING, wrap
from tegata.sandbox.hierarchy import (
    Root,
    directory_name,
    distribution_point,
    japanese_name,
    key_usage,
    small_serial,
)
from tegata.sandbox.people import Attributes, Holder, Kind, Municipality, Person

POLICIES: Final = {
    (Kind.SIGN, False): "1.2.392.200149.8.5.1.1.20",
    (Kind.AUTH, False): "1.2.392.200149.8.5.1.3.30",
    (Kind.SIGN, True): "2.25.97713370150914326011850137193641257013",
    (Kind.AUTH, True): "2.25.218412930817240659173420965518308172906",
}
_CPS = "http://www.jpki.go.jp/cps.html"
_OTHER_NAMES = "1.2.392.200149.8.5.5."
# The first day of each era, and its digit in the otherName of the birth date.
_ERAS = (
    (date(2019, 5, 1), "5"),
    (date(1989, 1, 8), "4"),
    (date(1926, 12, 25), "3"),
    (date(1912, 7, 30), "2"),
    (date(1868, 1, 25), "1"),
)
# 23:59:59 in Japan.
_END_OF_DAY = time(14, 59, 59)
_BIRTHDAYS = 5


def serial_of(person: Person, kind: Kind, place: int) -> int:
    """The serial of a person's certificate: the `place`-th of its kind, from 0."""
    return small_serial(kind, person.name, str(place))


def validity(issued: datetime, birth: date) -> tuple[datetime, datetime]:
    """notBefore and notAfter: to the end of the fifth birthday after the issue."""
    year = issued.year + _BIRTHDAYS
    if (birth.month, birth.day) > (issued.month, issued.day):
        year -= 1
    return issued, datetime.combine(_birthday(birth, year), _END_OF_DAY, UTC)


def _birthday(birth: date, year: int) -> date:
    try:
        return birth.replace(year=year)
    except ValueError:  # born on 29 February: a year older at the end of the 28th
        return date(year, 2, 28)


def birth_text(birth: date) -> str:
    """A birth date as otherName 4 writes it: the era's digit, then YYYYMMDD."""
    era = next((digit for begins, digit in _ERAS if birth >= begins), "0")
    return f"{era}{birth:%Y%m%d}"


def end_entity(
    person: Person,
    kind: Kind,
    place: int,
    first_day: datetime,
    key: rsa.RSAPublicKey,
    named: Root,
    signed: Root,
) -> x509.Certificate:
    """A person's certificate: its AKI names one generation, `signed` is the one that signs."""
    issued = first_day - timedelta(days=person.given(kind)[place].days)
    begins, ends = validity(issued + timedelta(hours=1, minutes=15), person.attributes.birth)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(named.certificate.subject)
        .subject_name(_subject(person, kind, issued))
        .public_key(key)
        .serial_number(serial_of(person, kind, place))
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(key_usage(sign=True, commit=kind is Kind.SIGN), critical=True)
    )
    if kind is Kind.SIGN:
        builder = builder.add_extension(_other_names(person.attributes), critical=False)
    for extension, critical in _extensions(person, kind, named):
        builder = builder.add_extension(extension, critical=critical)
    ski = x509.SubjectKeyIdentifier.from_public_key(key)
    return builder.add_extension(ski, critical=False).sign(signed.key, hashes.SHA256())


def _extensions(
    person: Person, kind: Kind, named: Root
) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    at = person.municipality
    policy = POLICIES[kind, person.holder is Holder.PHONE]
    point = x509.DirectoryName(distribution_point(kind, at.prefecture, at.city))
    issuer = [x509.DirectoryName(named.certificate.subject)]
    return (
        (
            x509.CertificatePolicies(
                [x509.PolicyInformation(x509.ObjectIdentifier(policy), [_CPS])]
            ),
            True,
        ),
        (x509.IssuerAlternativeName([x509.DirectoryName(japanese_name(kind))]), False),
        (
            x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)]),
            False,
        ),
        (
            x509.AuthorityKeyIdentifier(
                named.key_identifier, issuer, named.certificate.serial_number
            ),
            False,
        ),
    )


def _subject(person: Person, kind: Kind, issued: datetime) -> x509.Name:
    at: Municipality = person.municipality
    if kind is Kind.AUTH:
        return directory_name(
            (NameOID.COUNTRY_NAME, "JP"), (NameOID.COMMON_NAME, _opaque(person, at))
        )
    return directory_name(
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.LOCALITY_NAME, at.prefecture),
        (NameOID.LOCALITY_NAME, at.city),
        (NameOID.COMMON_NAME, f"{issued:%Y%m%d}101500{small_serial(person.name) % 1000:03d}"),
    )


def _opaque(person: Person, at: Municipality) -> str:
    """A common name as of user-authentication certificates: nothing should be read from it."""
    digest = hashlib.sha256(f"common name/{person.name}".encode()).digest()
    return base64.b32encode(digest).decode()[:14] + at.code + "003S"


def _other_names(attributes: Attributes) -> x509.SubjectAlternativeName:
    """The attributes, in the order in which they are issued."""
    texts = {
        1: attributes.name,
        4: birth_text(attributes.birth),
        3: attributes.sex,
        5: attributes.address,
        2: attributes.name_flags or "0" * len(attributes.name),
        6: attributes.address_flags or "0" * len(attributes.address),
    }
    return x509.SubjectAlternativeName(
        [
            x509.OtherName(
                x509.ObjectIdentifier(_OTHER_NAMES + str(number)), wrap(UTF8_STRING, text.encode())
            )
            for number, text in texts.items()
        ]
    )
