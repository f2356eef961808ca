"""OCSP: requests of other people's clients, and responses that they read right."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import ocsp as asn1crypto_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.der.decoder import decode as pyasn1_decode
from pyasn1.codec.der.encoder import encode as pyasn1_encode
from pyasn1_alt_modules import rfc6960

from tegata.pkix import oids
from tegata.pkix.certificate import assemble, encode_pem
from tegata.pkix.crl import RevocationReason
from tegata.pkix.der import (
    NULL_VALUE,
    DerError,
    encode_integer,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    explicit,
    implicit,
)
from tegata.pkix.extensions import encode_extension
from tegata.pkix.ocsp import (
    NONCE_MAXIMUM,
    REQUESTS_MAXIMUM,
    CertId,
    ResponseStatus,
    SingleResponse,
    encode_ocsp_error,
    encode_ocsp_response,
    encode_response_data,
    issuer_hashes,
    parse_cert_id,
    parse_ocsp_request,
    parse_response_data,
    responder_key_hash,
)
from tegata.profiles.catalogue import ISSUING_CA, OCSP_RESPONDER, TLS_SERVER
from tests.issuance.drafts import ISSUING_NAME, a_draft, tbs_of
from tests.pkix.keys import ECDSA_SHA256, private_key, public_key, sign_p256

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
EARLIER = NOW - timedelta(days=3)


def issuing_certificate() -> bytes:
    tbs = tbs_of(a_draft(ISSUING_CA))
    return assemble(tbs, ECDSA_SHA256, sign_p256("root", tbs))


def server_certificate() -> bytes:
    tbs = tbs_of(a_draft(TLS_SERVER))
    return assemble(tbs, ECDSA_SHA256, sign_p256("issuing", tbs))


def responder_certificate() -> bytes:
    tbs = tbs_of(a_draft(OCSP_RESPONDER))
    return assemble(tbs, ECDSA_SHA256, sign_p256("issuing", tbs))


LEAF = x509.load_der_x509_certificate(server_certificate())
ISSUER = x509.load_der_x509_certificate(issuing_certificate())
OURS = issuer_hashes(ISSUING_NAME, public_key("issuing"))


def request_of(
    algorithm: hashes.SHA1 | hashes.SHA256, nonce: bytes | None = None
) -> ocsp.OCSPRequest:
    builder = ocsp.OCSPRequestBuilder().add_certificate(LEAF, ISSUER, algorithm)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build()


def der_of(request: ocsp.OCSPRequest) -> bytes:
    return request.public_bytes(Encoding.DER)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=lambda each: each.name)
def test_a_request_of_cryptography_is_read_right(algorithm: hashes.SHA1 | hashes.SHA256) -> None:
    request = request_of(algorithm)
    read = parse_ocsp_request(der_of(request))
    (cert_id,) = read.cert_ids
    assert cert_id.serial == LEAF.serial_number
    assert cert_id.issuer in OURS
    assert cert_id.issuer.name_hash == request.issuer_name_hash
    assert cert_id.issuer.key_hash == request.issuer_key_hash
    assert read.nonce is None


@pytest.mark.parametrize("octets", [1, 32, NONCE_MAXIMUM])
def test_a_nonce_of_the_sizes_of_rfc_9654_is_read(octets: int) -> None:
    nonce = bytes(range(octets))
    assert parse_ocsp_request(der_of(request_of(hashes.SHA1(), nonce))).nonce == nonce


@pytest.mark.parametrize("octets", [0, NONCE_MAXIMUM + 1])
def test_a_nonce_of_another_size_is_refused(octets: int) -> None:
    request = der_of(request_of(hashes.SHA1(), bytes(octets)))
    with pytest.raises(DerError, match="nonce"):
        parse_ocsp_request(request)


def test_an_issuer_is_known_under_each_algorithm_as_cryptography_computes_it() -> None:
    assert [each.algorithm for each in OURS] == [oids.SHA1, oids.SHA256]
    requests = [request_of(hashes.SHA1()), request_of(hashes.SHA256())]
    for ours, independent in zip(OURS, requests, strict=True):
        assert ours.name_hash == independent.issuer_name_hash
        assert ours.key_hash == independent.issuer_key_hash


@pytest.mark.requires("openssl", "asks as its users do")
@pytest.mark.parametrize(("algorithm", "digest"), [("-sha1", 20), ("-sha256", 32)])
@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_request_of_openssl_is_read_right(
    tmp_path: Path, algorithm: str, digest: int, nonce: str, count: int
) -> None:
    issuer, request = tmp_path / "issuer.pem", tmp_path / "request.der"
    issuer.write_text(encode_pem("CERTIFICATE", issuing_certificate()), "ascii")
    serials = [LEAF.serial_number + each for each in range(count)]
    subprocess.run(
        [
            *("openssl", "ocsp", nonce, "-issuer", str(issuer)),
            *(part for serial in serials for part in (algorithm, "-serial", f"0x{serial:x}")),
            *("-reqout", str(request)),
        ],
        check=True,
        capture_output=True,
    )
    read = parse_ocsp_request(request.read_bytes())
    assert [each.serial for each in read.cert_ids] == serials
    assert all(each.issuer in OURS for each in read.cert_ids)
    assert {len(each.issuer.name_hash) for each in read.cert_ids} == {digest}
    assert (read.nonce is not None) == (nonce == "-nonce")


def cert_id_of(serial: int = 5) -> bytes:
    return encode_sequence(
        encode_sequence(encode_oid(oids.SHA1), NULL_VALUE),
        encode_octet_string(OURS[0].name_hash),
        encode_octet_string(OURS[0].key_hash),
        encode_integer(serial),
    )


def ocsp_request(*fields: bytes, after: bytes = b"") -> bytes:
    return encode_sequence(encode_sequence(*fields), after)


def request_list(*cert_ids: bytes) -> bytes:
    return encode_sequence(*(encode_sequence(each) for each in cert_ids))


def extensions(*each: bytes) -> bytes:
    return explicit(2, encode_sequence(*each))


LIST = request_list(cert_id_of())
NONCE = encode_extension(oids.OCSP_NONCE, encode_octet_string(b"a"))
REQUESTOR = explicit(1, implicit(2, b"client.test"))
VERSION_1 = explicit(0, encode_integer(0))
SIGNATURE = explicit(0, encode_sequence())


def test_every_field_of_a_request_may_be_there() -> None:
    octets = ocsp_request(VERSION_1, REQUESTOR, LIST, extensions(NONCE), after=SIGNATURE)
    read = parse_ocsp_request(octets)
    assert [each.serial for each in read.cert_ids] == [5]
    assert read.nonce == b"a"


def test_an_extension_that_means_nothing_to_us_is_passed_over() -> None:
    unknown = encode_extension("1.2.3", b"\x05\x00")
    assert parse_ocsp_request(ocsp_request(LIST, extensions(unknown, NONCE))).nonce == b"a"


def test_the_octets_of_a_cert_id_are_kept_to_be_echoed() -> None:
    without_parameters = encode_sequence(
        encode_sequence(encode_oid(oids.SHA256)),
        encode_octet_string(OURS[1].name_hash),
        encode_octet_string(OURS[1].key_hash),
        encode_integer(5),
    )
    octets = ocsp_request(request_list(cert_id_of(), without_parameters))
    assert [each.der for each in parse_ocsp_request(octets).cert_ids] == [
        cert_id_of(),
        without_parameters,
    ]


def test_a_request_may_name_so_many_certificates_and_no_more() -> None:
    many = [cert_id_of(serial) for serial in range(1, REQUESTS_MAXIMUM + 2)]
    assert parse_ocsp_request(ocsp_request(request_list(*many[:-1]))).cert_ids
    with pytest.raises(DerError):
        parse_ocsp_request(ocsp_request(request_list(*many)))


MALFORMED = {
    "nothing": b"",
    "an empty sequence": b"\x30\x00",
    "an empty TBSRequest": ocsp_request(),
    "no certificate": ocsp_request(request_list()),
    "an empty Request": ocsp_request(encode_sequence(encode_sequence())),
    "octets after it": ocsp_request(LIST) + b"\x00",
    "an element after it": ocsp_request(LIST, after=NULL_VALUE),
    "two signatures": ocsp_request(LIST, after=SIGNATURE * 2),
    "version 2": ocsp_request(explicit(0, encode_integer(1)), LIST),
    "two lists": ocsp_request(LIST, LIST),
    "extensions before the list": ocsp_request(extensions(NONCE), LIST),
    "an unknown field": ocsp_request(LIST, explicit(3, NULL_VALUE)),
    "two nonces": ocsp_request(LIST, extensions(NONCE, NONCE)),
    "a nonce without its type": ocsp_request(
        LIST, extensions(encode_extension(oids.OCSP_NONCE, b"abcdefgh"))
    ),
    "a critical extension that is not understood": ocsp_request(
        LIST, extensions(encode_extension("1.2.3", NULL_VALUE, critical=True))
    ),
    "an element beside a CertID": ocsp_request(
        encode_sequence(encode_sequence(cert_id_of(), NULL_VALUE))
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_is_refused(case: str) -> None:
    with pytest.raises(DerError):
        parse_ocsp_request(MALFORMED[case])


GOOD = SingleResponse(cert_id_of(5), None, True, NOW, LATER)
UNKNOWN = SingleResponse(cert_id_of(6), None, False, NOW, LATER)
ANSWERS = {
    "good": GOOD,
    "unknown": UNKNOWN,
    **{
        reason.text: SingleResponse(cert_id_of(7), (EARLIER, reason), True, NOW, LATER)
        for reason in RevocationReason
    },
}


def response(
    *responses: SingleResponse, nonce: bytes | None = None, extended_revoke: bool = False
) -> bytes:
    data = encode_response_data(
        responder_key=public_key("responder"),
        produced_at=NOW,
        responses=responses,
        nonce=nonce,
        extended_revoke=extended_revoke,
    )
    return encode_ocsp_response(
        data, ECDSA_SHA256, sign_p256("responder", data), responder_certificate()
    )


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_response_is_read_right_by_cryptography(answer: str) -> None:
    read = ocsp.load_der_ocsp_response(response(ANSWERS[answer]))
    assert read.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    assert read.responder_key_hash == responder_key_hash(public_key("responder"))
    assert read.produced_at_utc == NOW
    assert (read.this_update_utc, read.next_update_utc) == (NOW, LATER)
    assert read.issuer_key_hash == OURS[0].key_hash
    assert [each.public_key() for each in read.certificates] == [
        private_key("responder").public_key()
    ]
    key = read.certificates[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(read.signature, read.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    match answer:
        case "good":
            assert read.certificate_status is ocsp.OCSPCertStatus.GOOD
        case "unknown":
            assert read.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
        case _:
            assert read.certificate_status is ocsp.OCSPCertStatus.REVOKED
            assert read.revocation_time_utc == EARLIER
            given = read.revocation_reason
            assert (given.value if given else "unspecified") == answer


@pytest.mark.parametrize("octets", [1, 32, 128])
def test_a_nonce_is_echoed(octets: int) -> None:
    nonce = bytes(range(octets))
    read = ocsp.load_der_ocsp_response(response(GOOD, nonce=nonce))
    (extension,) = read.extensions
    assert (extension.value, extension.critical) == (x509.OCSPNonce(nonce), False)


def test_a_response_says_when_revoked_may_mean_never_issued() -> None:
    read = asn1crypto_ocsp.OCSPResponse.load(response(GOOD, nonce=b"a", extended_revoke=True))
    found = read.response_data["response_extensions"]
    assert [each["extn_id"].native for each in found] == ["nonce", "extended_revoke"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_response_is_read_right_by_asn1crypto(answer: str) -> None:
    octets = response(ANSWERS[answer], nonce=b"0123456789abcdef")
    read = asn1crypto_ocsp.OCSPResponse.load(octets, strict=True)
    assert read["response_status"].native == "successful"
    data = read.response_data
    assert data["responder_id"].name == "by_key"
    assert data["produced_at"].native == NOW
    (single,) = data["responses"]
    status = single["cert_status"]
    assert status.name == (answer if answer in {"good", "unknown"} else "revoked")
    if status.name == "revoked":
        assert status.chosen["revocation_time"].native == EARLIER
        code = status.chosen["revocation_reason"].native
        assert (code is None) == (answer == "unspecified")
    assert (single["this_update"].native, single["next_update"].native) == (NOW, LATER)
    assert read.nonce_value.native == b"0123456789abcdef"


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_response_is_what_pyasn1_makes_of_its_content(answer: str) -> None:
    octets = response(ANSWERS[answer], GOOD, nonce=b"a", extended_revoke=True)
    read, rest = pyasn1_decode(octets, asn1Spec=rfc6960.OCSPResponse())
    assert (rest, pyasn1_encode(read)) == (b"", octets)
    basic = bytes(read["responseBytes"]["response"])
    content, rest = pyasn1_decode(basic, asn1Spec=rfc6960.BasicOCSPResponse())
    assert (rest, pyasn1_encode(content)) == (b"", basic)


@pytest.mark.parametrize("status", [each for each in ResponseStatus if each])
def test_an_error_is_read_right_by_cryptography(status: ResponseStatus) -> None:
    read = ocsp.load_der_ocsp_response(encode_ocsp_error(status))
    assert read.response_status.value == status.value


def test_a_responder_is_named_by_the_sha1_of_its_key() -> None:
    key = x509.SubjectKeyIdentifier.from_public_key(private_key("responder").public_key())
    assert responder_key_hash(public_key("responder")) == key.digest


@given(
    st.lists(st.integers(min_value=1, max_value=(1 << 159) - 1), max_size=5),
    st.one_of(st.none(), st.binary(min_size=1, max_size=128)),
    st.booleans(),
)
def test_response_data_reads_back(
    serials: list[int], nonce: bytes | None, extended_revoke: bool
) -> None:
    octets = encode_response_data(
        responder_key=public_key("responder"),
        produced_at=NOW,
        responses=[SingleResponse(cert_id_of(each), None, True, NOW, LATER) for each in serials],
        nonce=nonce,
        extended_revoke=extended_revoke,
    )
    read = parse_response_data(octets)
    assert (
        read.responder_key_hash
        == hashlib.sha1(
            x509.load_der_x509_certificate(responder_certificate())
            .public_key()
            .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            usedforsecurity=False,
        ).digest()
    )
    assert read.produced_at == NOW
    assert [each.issuer for each in read.cert_ids] == [OURS[0]] * len(serials)
    assert [each.serial for each in read.cert_ids] == serials


@given(st.integers(min_value=-(1 << 160), max_value=1 << 160))
def test_a_cert_id_reads_back(serial: int) -> None:
    octets = cert_id_of(serial)
    assert parse_cert_id(octets) == CertId(OURS[0], serial, octets)


def test_response_data_of_a_responder_named_otherwise_is_refused() -> None:
    octets = encode_sequence(explicit(1, ISSUING_NAME), b"\x18\x00", encode_sequence())
    with pytest.raises(DerError, match="named by its key"):
        parse_response_data(octets)
