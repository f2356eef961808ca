"""What the signer lets a time-stamping unit's key sign."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose, SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.der import encode_octet_string, encode_oid, encode_sequence, encode_set_of
from tegata.pkix.tsp import encode_tst_info, message_imprint
from tegata.pkix.tsp_token import encode_signed_attributes
from tegata.signers.keys import KeyRecord
from tegata.signers.timestamps import require_key, require_timestamp

NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
POLICY = "1.2.3.4"
CERTIFICATE = b"a certificate"
RECORD = KeyRecord(
    "key_1", "ten_tanuki", KeyPurpose.TIMESTAMP, "p256", SignatureAlgorithm.ECDSA_SHA256,
    b"", b"", b"", b"", "software", b"", None, (POLICY,),
)  # fmt: skip


def an_info(
    policy: str = POLICY,
    algorithm: str = oids.SHA256,
    octets: int = 32,
    serial: int = 1,
    instant: datetime = NOW,
) -> bytes:
    imprint = message_imprint(algorithm, bytes(octets)).der
    return encode_tst_info(
        policy=encode_oid(policy), imprint=imprint, serial=serial, gen_time=instant,
        tail=b"", nonce=None,
    )  # fmt: skip


def attributes_of(info: bytes) -> bytes:
    return encode_signed_attributes(hashlib.sha256(info).digest(), CERTIFICATE)


def attribute(identifier: str, value: bytes) -> bytes:
    return encode_sequence(encode_oid(identifier), encode_set_of((value,)))


GOOD = an_info()
DIGEST = attribute(oids.MESSAGE_DIGEST, encode_octet_string(hashlib.sha256(GOOD).digest()))
OF_TOKENS = attribute(oids.CONTENT_TYPE, encode_oid(oids.TST_INFO))
ESS = encode_sequence(encode_sequence(encode_sequence(encode_octet_string(bytes(32)))))
BY = attribute(oids.SIGNING_CERTIFICATE_V2, ESS)


def test_a_token_of_the_units_own_is_signed() -> None:
    require_timestamp(GOOD, attributes_of(GOOD), RECORD, NOW)
    require_timestamp(GOOD, encode_set_of((OF_TOKENS, DIGEST, BY)), RECORD, NOW)


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (an_info(policy="1.2.3.5"), ProblemCode.KEY_PURPOSE_REFUSED),
        (an_info(octets=31), ProblemCode.LINT_REFUSED),
        (an_info(algorithm=oids.SHA1, octets=20), ProblemCode.LINT_REFUSED),
        (an_info(serial=0), ProblemCode.LINT_REFUSED),
        (an_info(serial=-5), ProblemCode.LINT_REFUSED),
        (an_info(instant=NOW - timedelta(minutes=1)), ProblemCode.KEY_PURPOSE_REFUSED),
        (an_info(instant=NOW + timedelta(seconds=2)), ProblemCode.KEY_PURPOSE_REFUSED),
        (GOOD + b"\x00", ProblemCode.LINT_REFUSED),
        (b"", ProblemCode.LINT_REFUSED),
    ],
)
def test_what_says_anything_else_is_not(info: bytes, code: ProblemCode) -> None:
    with pytest.raises(Problem) as caught:
        require_timestamp(info, attributes_of(info), RECORD, NOW)
    assert caught.value.code is code


@pytest.mark.parametrize(
    "attributes",
    [
        attributes_of(an_info(serial=2)),
        b"",
        hashlib.sha256(GOOD).digest(),
        encode_set_of((OF_TOKENS, DIGEST)),
        encode_set_of((DIGEST, BY)),
        encode_set_of((OF_TOKENS, DIGEST, BY, attribute("1.2.3", b"\x05\x00"))),
        encode_set_of((attribute(oids.CONTENT_TYPE, encode_oid(oids.CMS_DATA)), DIGEST, BY)),
        # The digest stands somewhere, but is not what is signed.
        encode_set_of(
            (
                OF_TOKENS,
                attribute(oids.MESSAGE_DIGEST, encode_octet_string(bytes(32))),
                attribute(
                    oids.SIGNING_CERTIFICATE_V2,
                    encode_sequence(
                        encode_sequence(
                            encode_sequence(encode_octet_string(hashlib.sha256(GOOD).digest()))
                        )
                    ),
                ),
            )
        ),
        # So that octets of another kind cannot be signed with a token's key.
        encode_sequence(OF_TOKENS, DIGEST, BY),
    ],
)
def test_attributes_that_are_not_the_tokens_are_not_signed(attributes: bytes) -> None:
    with pytest.raises(Problem) as caught:
        require_timestamp(GOOD, attributes, RECORD, NOW)
    assert caught.value.code is ProblemCode.LINT_REFUSED


@pytest.mark.parametrize(
    ("purpose", "algorithm", "policies"),
    [
        (KeyPurpose.TIMESTAMP, SignatureAlgorithm.ECDSA_SHA256, ()),
        (KeyPurpose.TIMESTAMP, SignatureAlgorithm.ED25519, (POLICY,)),
        (KeyPurpose.TIMESTAMP, SignatureAlgorithm.RSA_PSS_SHA256, (POLICY,)),
        (KeyPurpose.ISSUING_CA, SignatureAlgorithm.ECDSA_SHA256, (POLICY,)),
    ],
)
def test_policies_are_a_units_and_a_unit_has_some(
    purpose: KeyPurpose, algorithm: SignatureAlgorithm, policies: tuple[str, ...]
) -> None:
    with pytest.raises(Problem) as caught:
        require_key(purpose, algorithm, policies)
    assert caught.value.code is ProblemCode.KEY_ALGORITHM_REFUSED
