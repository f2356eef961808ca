"""Certificate revocation lists, read by `cryptography`, asn1crypto and pyasn1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import crl as asn1crypto_crl
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.der.decoder import decode as pyasn1_decode
from pyasn1.codec.der.encoder import encode as pyasn1_encode
from pyasn1_alt_modules import rfc5280

from tegata.pkix import oids
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import (
    REASON_BY_NAME,
    REASON_BY_NUMBER,
    RevocationReason,
    encode_crl_entry,
    encode_tbs_cert_list,
)
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.pkix.der import (
    DerError,
    encode_integer,
    encode_sequence,
    encode_time,
    explicit,
)
from tegata.pkix.extensions import encode_extension, key_identifier
from tests.issuance.drafts import ISSUING_NAME
from tests.pkix.keys import ECDSA_SHA256, public_key, sign_p256

THIS = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
NEXT = THIS + timedelta(days=7)
SERIALS = [1, 0x7F, 0x80, (1 << 152) - 1, (1 << 159) - 1]
Entry = tuple[int, datetime, RevocationReason]
ENTRIES: Sequence[Entry] = [
    (serial << 4 | place, THIS - timedelta(days=place), reason)
    for place, (serial, reason) in enumerate(zip(SERIALS * 2, RevocationReason, strict=False))
    if (serial << 4 | place).bit_length() < 160
]


def tbs_of(
    entries: Sequence[Entry] = (), number: int = 7, this: datetime = THIS, until: datetime = NEXT
) -> bytes:
    return encode_tbs_cert_list(
        issuer=ISSUING_NAME,
        this_update=this,
        next_update=until,
        entries=[encode_crl_entry(*entry) for entry in entries],
        authority_key=key_identifier(public_key("issuing")),
        number=number,
        signature_algorithm=ECDSA_SHA256,
    )


def signed(tbs: bytes) -> bytes:
    return assemble(tbs, ECDSA_SHA256, sign_p256("issuing", tbs))


@pytest.mark.parametrize("entries", [[], ENTRIES[:1], ENTRIES], ids=len)
def test_a_crl_is_read_right_by_cryptography(entries: Sequence[Entry]) -> None:
    crl = x509.load_der_x509_crl(signed(tbs_of(entries)))
    assert crl.is_signature_valid(load_der_public_key(public_key("issuing")))  # type: ignore[arg-type]
    assert crl.issuer.public_bytes() == ISSUING_NAME
    assert (crl.last_update_utc, crl.next_update_utc) == (THIS, NEXT)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    authority = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == key_identifier(public_key("issuing"))
    assert [extension.critical for extension in crl.extensions] == [False, False]
    assert [(each.serial_number, each.revocation_date_utc) for each in crl] == [
        (serial, revoked_at) for serial, revoked_at, _reason in entries
    ]


@pytest.mark.parametrize("reason", RevocationReason)
def test_a_reason_is_read_right_by_cryptography(reason: RevocationReason) -> None:
    (entry,) = x509.load_der_x509_crl(signed(tbs_of([(5, THIS, reason)])))
    if reason is RevocationReason.UNSPECIFIED:
        # RFC 5280 section 5.3.1: absent rather than unspecified.
        assert len(entry.extensions) == 0
    else:
        (extension,) = entry.extensions
        assert not extension.critical
        assert extension.value == x509.CRLReason(x509.ReasonFlags(reason.text))


@pytest.mark.parametrize("entries", [[], ENTRIES], ids=len)
def test_a_crl_is_read_right_by_asn1crypto(entries: Sequence[Entry]) -> None:
    crl = asn1crypto_crl.CertificateList.load(signed(tbs_of(entries)), strict=True)
    assert crl.native["tbs_cert_list"]["version"] == "v2"
    assert crl.crl_number_value.native == 7
    assert crl.authority_key_identifier == key_identifier(public_key("issuing"))
    revoked = crl["tbs_cert_list"]["revoked_certificates"]
    read = [
        (each["user_certificate"].native, each["revocation_date"].native, each.crl_reason_value)
        for each in revoked or ()
    ]
    assert [each[:2] for each in read] == [entry[:2] for entry in entries]
    assert [code and int(code) for _serial, _date, code in read] == [
        reason.number or None for _serial, _date, reason in entries
    ]


@pytest.mark.parametrize("entries", [[], ENTRIES], ids=len)
def test_a_crl_is_what_pyasn1_makes_of_its_content(entries: Sequence[Entry]) -> None:
    octets = signed(tbs_of(entries))
    read, rest = pyasn1_decode(octets, asn1Spec=rfc5280.CertificateList())
    assert (rest, pyasn1_encode(read)) == (b"", octets)


REVOCATIONS = st.tuples(
    st.integers(min_value=1, max_value=(1 << 159) - 1),
    st.integers(min_value=0, max_value=10**10).map(lambda each: THIS + timedelta(seconds=each)),
    st.sampled_from(RevocationReason),
)


@given(st.lists(REVOCATIONS, max_size=20), st.integers(min_value=0, max_value=(1 << 159) - 1))
def test_a_crl_reads_back(entries: list[Entry], number: int) -> None:
    read = parse_tbs_cert_list(tbs_of(entries, number))
    assert read.issuer == ISSUING_NAME
    assert (read.this_update, read.next_update) == (THIS, NEXT)
    assert read.serials == tuple(serial for serial, _date, _reason in entries)
    assert read.number == number


def test_a_crl_over_the_boundary_of_2050_reads_back() -> None:
    this = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    until = this + timedelta(days=7)
    read = parse_tbs_cert_list(tbs_of(this=this, until=until))
    assert (read.this_update, read.next_update) == (this, until)


def test_every_reason_has_the_name_and_number_that_cryptography_gives_it() -> None:
    assert set(REASON_BY_NAME) == {flag.value for flag in x509.ReasonFlags}
    for flag in x509.ReasonFlags:
        if flag is not x509.ReasonFlags.remove_from_crl:
            value = x509.CRLReason(flag).public_bytes()
            assert REASON_BY_NUMBER[value[-1]] is REASON_BY_NAME[flag.value]


def cert_list(*extensions: bytes, version: int = 1, entries: bytes = b"") -> bytes:
    return encode_sequence(
        encode_integer(version),
        encode_sequence(),
        ISSUING_NAME,
        encode_time(THIS),
        encode_time(NEXT),
        entries,
        explicit(0, encode_sequence(*extensions)),
    )


NUMBER = encode_extension(oids.CRL_NUMBER, encode_integer(1))


def test_a_hand_made_list_with_a_number_is_read() -> None:
    assert parse_tbs_cert_list(cert_list(NUMBER)).number == 1


@pytest.mark.parametrize(
    "octets",
    [
        cert_list(NUMBER, version=0),
        cert_list(),
        cert_list(NUMBER, NUMBER),
        cert_list(NUMBER, entries=encode_sequence()),
        cert_list(encode_extension(oids.CRL_NUMBER, b"\x04\x01a")),
    ],
    ids=["version 1", "no number", "two numbers", "an empty list", "a number that is none"],
)
def test_a_list_that_we_do_not_sign_is_refused(octets: bytes) -> None:
    with pytest.raises(DerError):
        parse_tbs_cert_list(octets)
