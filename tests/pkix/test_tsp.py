"""Time-stamp requests, TSTInfo, tokens and answers, beside other people's readers of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms
from asn1crypto import tsp as other
from hypothesis import given
from hypothesis import strategies as st

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.der import (
    SEQUENCE,
    DerError,
    content_of,
    encode_integer,
    encode_oid,
    encode_sequence,
    explicit,
)
from tegata.pkix.tsp import (
    FailureInfo,
    TimeStampRequest,
    encode_accuracy,
    encode_gen_time,
    encode_rejection,
    encode_time_stamp_request,
    encode_tst_info,
    message_imprint,
    parse_gen_time,
    parse_time_stamp_request,
    parse_time_stamp_response,
    parse_tst_info,
    tst_info_tail,
)
from tegata.pkix.tsp_token import TokenTemplate, parse_signed_attributes, parse_token
from tests.pkix.test_ocsp import issuing_certificate, responder_certificate, server_certificate

NOW = datetime(2026, 7, 1, 12, 30, 15, 250_000, tzinfo=UTC)
IMPRINT = message_imprint(oids.SHA256, hashlib.sha256(b"data").digest())
POLICY = "1.2.3.4"
REQUESTS = (
    encode_time_stamp_request(TimeStampRequest(1, IMPRINT)),
    encode_time_stamp_request(TimeStampRequest(1, IMPRINT, POLICY, 1 << 63, True)),
)
CHAIN = server_certificate(), issuing_certificate(), responder_certificate()
TEMPLATE = TokenTemplate(SignatureAlgorithm.ECDSA_SHA256, CHAIN)


def an_info(nonce: int | None = 7, tail: bytes = b"", instant: datetime = NOW) -> bytes:
    return encode_tst_info(
        policy=encode_oid(POLICY), imprint=IMPRINT.der, serial=1 << 100, gen_time=instant,
        tail=tail, nonce=nonce,
    )  # fmt: skip


def a_response(*, certificates: bool = True, signature: bytes = bytes(70)) -> bytes:
    info = an_info()
    attributes = TEMPLATE.attributes(info)
    return TEMPLATE.response(info, attributes, signature, certificates=certificates)


def a_token() -> bytes:
    token = parse_time_stamp_response(a_response()).token
    assert token is not None
    return token


@pytest.mark.parametrize("octets", REQUESTS)
def test_a_request_is_read_as_another_reader_reads_it(octets: bytes) -> None:
    ours, theirs = parse_time_stamp_request(octets), other.TimeStampReq.load(octets)
    assert ours.imprint.digest == theirs["message_imprint"]["hashed_message"].native
    assert ours.policy == theirs["req_policy"].native
    assert ours.nonce == theirs["nonce"].native
    assert ours.certificates is theirs["cert_req"].native


@pytest.mark.parametrize("parameters", [b"", b"\x05\x00"])
@pytest.mark.parametrize("algorithm", [oids.SHA1, oids.SHA256, oids.SHA384, oids.SHA512])
def test_the_imprint_is_repeated_as_it_was_sent(algorithm: str, parameters: bytes) -> None:
    identifier = encode_sequence(encode_oid(algorithm), parameters)
    imprint = encode_sequence(identifier, b"\x04\x20" + bytes(32))
    read = parse_time_stamp_request(encode_sequence(encode_integer(1), imprint)).imprint
    assert (read.algorithm, read.digest, read.der) == (algorithm, bytes(32), imprint)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30\x00",
        REQUESTS[0] + b"\x00",
        REQUESTS[0][:-1],
        encode_sequence(encode_integer(1)),
        encode_sequence(IMPRINT.der, encode_integer(1)),
        encode_sequence(encode_integer(1), IMPRINT.der, b"\x01\x01\x7f"),
        encode_sequence(encode_integer(1), IMPRINT.der, encode_integer(5), encode_oid(POLICY)),
        encode_sequence(encode_integer(1), IMPRINT.der, encode_integer(1 << 600)),
        encode_sequence(encode_integer(1), IMPRINT.der, explicit(1, b"")),
        encode_sequence(
            encode_integer(1),
            encode_sequence(
                encode_sequence(encode_oid(oids.SHA256), encode_integer(1)), b"\x04\x00"
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(octets: bytes) -> None:
    with pytest.raises(DerError):
        parse_time_stamp_request(octets)


def test_extensions_are_told_by_name() -> None:
    extension = encode_sequence(encode_oid("1.2.3"), b"\x04\x00")
    octets = encode_sequence(encode_integer(1), IMPRINT.der, explicit(0, extension))
    assert parse_time_stamp_request(octets).extensions == ("1.2.3",)


def test_a_tst_info_is_read_by_another_reader() -> None:
    tail = tst_info_tail(timedelta(seconds=1, milliseconds=5, microseconds=7), ordering=True)
    ours, theirs = parse_tst_info(an_info(tail=tail)), other.TSTInfo.load(an_info(tail=tail))
    assert theirs["policy"].native == POLICY
    assert theirs["serial_number"].native == 1 << 100
    assert theirs["gen_time"].native == NOW
    accuracy = theirs["accuracy"].native
    assert accuracy == {"seconds": 1, "millis": 5, "micros": 7}
    assert theirs["ordering"].native is True
    assert theirs["nonce"].native == 7
    assert (ours.accuracy, ours.ordering, ours.nonce) == (
        timedelta(seconds=1, milliseconds=5, microseconds=7), True, 7,
    )  # fmt: skip


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_gen_time_is_read_back(instant: datetime) -> None:
    encoded = encode_gen_time(instant)
    assert parse_gen_time(encoded[2:]) == instant


@pytest.mark.parametrize(
    "content",
    [b"", b"20260701123015", b"20260701123015.Z", b"20260701123015.50Z", b"20261301000000Z",
     b"202607011230Z", b"20260701123015+0900", b"\xff" * 15],
)  # fmt: skip
def test_what_is_no_gen_time_is_refused(content: bytes) -> None:
    with pytest.raises(DerError):
        parse_gen_time(content)


@given(
    st.integers(0, 60), st.integers(0, 999), st.integers(0, 999),
)  # fmt: skip
def test_an_accuracy_has_each_part_that_is_not_zero(second: int, milli: int, micro: int) -> None:
    encoded = encode_accuracy(timedelta(seconds=second, milliseconds=milli, microseconds=micro))
    theirs = other.Accuracy.load(encoded).native
    assert [theirs[each] or 0 for each in ("seconds", "millis", "micros")] == [second, milli, micro]


@pytest.mark.parametrize("certificates", [True, False])
@pytest.mark.parametrize("size", [8, 70, 71, 72, 256, 512])
def test_a_token_joined_from_frames_is_whole(size: int, certificates: bool) -> None:
    signature = bytes(range(256)) * 2
    octets = a_response(certificates=certificates, signature=signature[:size])
    token = parse_time_stamp_response(octets).token
    assert token is not None
    content = cms.ContentInfo.load(token, strict=True)["content"]
    assert content["version"].native == "v3"
    assert content["encap_content_info"]["content"].parsed.dump() == an_info()
    (signer,) = content["signer_infos"]
    assert signer["signature"].native == signature[:size]
    assert len(content["certificates"]) == (2 if certificates else 0)
    ours = parse_token(token)
    assert (ours.info, ours.signature) == (an_info(), signature[:size])
    assert ours.attributes == TEMPLATE.attributes(an_info())
    signed = parse_signed_attributes(ours.attributes)
    assert signed.message_digest == hashlib.sha256(an_info()).digest()
    assert signed.certificate_hashes == ((oids.SHA256, hashlib.sha256(CHAIN[0]).digest()),)


@pytest.mark.parametrize("failure", list(FailureInfo))
def test_a_failure_is_the_bit_that_the_standard_names(failure: FailureInfo) -> None:
    octets = encode_rejection(failure, "no")
    # Its reader of the whole answer asks for a token.
    theirs = other.PKIStatusInfo.load(content_of(octets, SEQUENCE))
    assert theirs["status"].native == "rejection"
    (named,) = theirs["fail_info"].native
    # It gives one of them another name than the standard does.
    assert named.removesuffix("s") == failure.name.lower()
    assert theirs["status_string"].native == ["no"]
    assert parse_time_stamp_response(octets).failures == {failure}


def test_a_token_with_two_signers_is_none() -> None:
    token = cms.ContentInfo.load(a_token())
    signers = token["content"]["signer_infos"]
    signers.append(signers[0].copy())
    with pytest.raises(DerError):
        parse_token(token.dump(force=True))
