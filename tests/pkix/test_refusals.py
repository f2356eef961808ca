"""Whatever octets arrive, a parser answers or refuses: DerError or Problem and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tegata.kernel.problem import Problem
from tegata.pkix import (
    certificate,
    crl,
    crl_reader,
    csr,
    extensions,
    names,
    ocsp,
    oids,
    tsp,
    tsp_token,
)
from tegata.pkix.certificate import assemble, parse_certificate, parse_tbs_certificate
from tegata.pkix.crl import RevocationReason
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.pkix.csr import parse_csr
from tegata.pkix.der import DerError, Extension, decode, encode_sequence
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    encode_general_names,
    encode_name,
    name_text,
    parse_general_names,
    parse_name,
)
from tegata.pkix.ocsp import (
    SingleResponse,
    encode_response_data,
    parse_cert_id,
    parse_ocsp_request,
    parse_response_data,
)
from tegata.profiles.catalogue import TLS_CLIENT, TLS_SERVER
from tegata.profiles.lint import lint
from tests.issuance.drafts import a_draft, issuer_of, tbs_of
from tests.pkix import test_crl, test_ocsp, test_tsp
from tests.pkix.keys import ECDSA_SHA256, KINDS, public_key, sign_p256
from tests.pkix.requests import extension_request, request_der, request_info, request_pem

EXAMPLES = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
SERVER_TBS = tbs_of(a_draft(TLS_SERVER))
NAMES = (
    GeneralName(GeneralNameKind.DNS, "a.test"),
    GeneralName(GeneralNameKind.IP, "192.0.2.1"),
    GeneralName(GeneralNameKind.EMAIL, "a@b.test"),
    GeneralName(GeneralNameKind.URI, "https://[2001:db8::1]/"),
)
RESPONSE_DATA = encode_response_data(
    responder_key=public_key("responder"),
    produced_at=NOW,
    responses=[
        SingleResponse(test_ocsp.cert_id_of(5), None, True, NOW, NOW),
        SingleResponse(
            test_ocsp.cert_id_of(6), (NOW, RevocationReason.KEY_COMPROMISE), True, NOW, NOW
        ),
    ],
    nonce=b"abcd",
)


def parse_request_octets(octets: bytes) -> None:
    parse_csr(request_pem(octets))


def parse_and_lint(octets: bytes) -> None:
    """The lint has an answer for every octet string: it never raises at all."""
    for profile in (TLS_SERVER, TLS_CLIENT):
        lint(octets, profile, issuer_of(profile).facts)


def parse_name_to_text(octets: bytes) -> None:
    name_text(parse_name(octets))


def value_of(encoded: bytes) -> bytes:
    return decode(Extension, encoded).value


EXTENSION_REQUEST = request_info(
    public_key("p256"),
    attributes=[
        extension_request(encode_sequence(extensions.subject_alternative_name(list(NAMES))))
    ],
)
PARSERS: Mapping[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]] = {
    "parse_csr": (
        parse_request_octets,
        (*(request_der(kind) for kind in KINDS), request_der("p256", EXTENSION_REQUEST)),
    ),
    "parse_tbs_certificate": (parse_tbs_certificate, (SERVER_TBS,)),
    "lint": (parse_and_lint, (SERVER_TBS, tbs_of(a_draft(TLS_CLIENT, "rsa-2048")))),
    "parse_certificate": (
        parse_certificate,
        (assemble(SERVER_TBS, ECDSA_SHA256, sign_p256("issuing", SERVER_TBS)),),
    ),
    "parse_tbs_cert_list": (
        parse_tbs_cert_list,
        (test_crl.tbs_of(), test_crl.tbs_of(test_crl.ENTRIES)),
    ),
    "parse_ocsp_request": (
        parse_ocsp_request,
        (
            test_ocsp.ocsp_request(test_ocsp.LIST),
            test_ocsp.ocsp_request(
                test_ocsp.VERSION_1,
                test_ocsp.REQUESTOR,
                test_ocsp.LIST,
                test_ocsp.extensions(test_ocsp.NONCE),
                after=test_ocsp.SIGNATURE,
            ),
        ),
    ),
    "parse_cert_id": (parse_cert_id, (test_ocsp.cert_id_of(),)),
    "parse_response_data": (parse_response_data, (RESPONSE_DATA,)),
    "parse_name": (
        parse_name_to_text,
        (encode_name([(oids.COUNTRY, "JP"), (oids.COMMON_NAME, "日本")]), b"\x30\x00"),
    ),
    "parse_general_names": (parse_general_names, (encode_general_names(NAMES),)),
    "parse_basic_constraints": (
        extensions.parse_basic_constraints,
        (value_of(extensions.basic_constraints(ca=True, path_length=3)),),
    ),
    "parse_key_usage": (
        extensions.parse_key_usage,
        (value_of(extensions.key_usage(*extensions.KeyUsage)),),
    ),
    "parse_extended_key_usage": (
        extensions.parse_extended_key_usage,
        (value_of(extensions.extended_key_usage(oids.SERVER_AUTH, oids.CLIENT_AUTH)),),
    ),
    "parse_crl_distribution_points": (
        extensions.parse_crl_distribution_points,
        (value_of(extensions.crl_distribution_points("http://a.test/")),),
    ),
    "parse_issuing_distribution_point": (
        extensions.parse_issuing_distribution_point,
        (encode_sequence(extensions.distribution_point_name("http://a.test/1.crl")),),
    ),
    "parse_authority_information_access": (
        extensions.parse_authority_information_access,
        (value_of(extensions.authority_information_access(ocsp="http://a", ca_issuers="b")),),
    ),
    "parse_private_key_usage_period": (
        extensions.parse_private_key_usage_period,
        (value_of(extensions.private_key_usage_period(NOW, NOW)),),
    ),
    "parse_time_stamp_request": (tsp.parse_time_stamp_request, test_tsp.REQUESTS),
    "parse_time_stamp_response": (
        tsp.parse_time_stamp_response,
        (test_tsp.a_response(), tsp.encode_rejection(tsp.FailureInfo.BAD_ALG, "no")),
    ),
    "parse_tst_info": (tsp.parse_tst_info, (test_tsp.an_info(),)),
    "parse_gen_time": (tsp.parse_gen_time, (b"20260701000000.5Z",)),
    "parse_token": (tsp_token.parse_token, (test_tsp.a_token(),)),
    "parse_signed_attributes": (
        tsp_token.parse_signed_attributes,
        (tsp_token.encode_signed_attributes(bytes(32), b""),),
    ),
    "key_identifier": (extensions.key_identifier, tuple(public_key(kind) for kind in KINDS)),
}


def refuses_or_answers(parser: str, octets: bytes) -> None:
    parse, _seeds = PARSERS[parser]
    with contextlib.suppress(DerError, Problem):
        parse(octets)


def test_every_parser_of_the_room_is_here() -> None:
    modules = [certificate, crl, crl_reader, csr, extensions, names, ocsp, tsp, tsp_token]
    found = {name for module in modules for name in vars(module) if name.startswith("parse_")}
    # It takes an element that parse_general_names has already read.
    assert found - {"parse_general_name"} <= PARSERS.keys()
    assert len(found) > 12


@pytest.mark.parametrize("parser", PARSERS)
def test_a_parser_takes_what_the_others_are_mutations_of(parser: str) -> None:
    parse, seeds = PARSERS[parser]
    assert seeds
    for seed in seeds:
        parse(seed)


@pytest.mark.parametrize("parser", PARSERS)
@EXAMPLES
@given(octets=st.binary(max_size=200))
def test_random_octets_are_refused_in_an_orderly_way(parser: str, octets: bytes) -> None:
    refuses_or_answers(parser, octets)


@pytest.mark.parametrize("parser", PARSERS)
@EXAMPLES
@given(data=st.data())
def test_mutated_octets_are_refused_in_an_orderly_way(parser: str, data: st.DataObject) -> None:
    octets = bytearray(data.draw(st.sampled_from(PARSERS[parser][1])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(octets) - 1, 0)))
        match data.draw(st.sampled_from(["set", "delete", "insert", "repeat", "cut"])):
            case "set":
                octets[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "delete":
                del octets[place : place + data.draw(st.integers(1, 8))]
            case "insert":
                octets[place:place] = data.draw(st.binary(min_size=1, max_size=8))
            case "repeat":
                octets[place:place] = octets[place : place + data.draw(st.integers(1, 32))]
            case _:
                del octets[place:]
    refuses_or_answers(parser, bytes(octets))


@pytest.mark.parametrize("parser", PARSERS)
def test_a_value_one_octet_shorter_in_any_place_is_refused_in_an_orderly_way(parser: str) -> None:
    for seed in PARSERS[parser][1]:
        for place in range(min(len(seed), 200)):
            refuses_or_answers(parser, shorter(seed, place))


def shorter(octets: bytes, place: int) -> bytes:
    """Return the octets without one, and with the outer length made right again if it is short."""
    rest = bytearray(octets[:place] + octets[place + 1 :])
    if place > 1 and octets[1] < 0x80:
        rest[1] -= 1
    return bytes(rest)


EMPTIES = [b"", b"\x30\x00", b"\x30\x02\x30\x00", b"\x31\x00", b"\x30\x02\x31\x00", b"\x05\x00"]


@pytest.mark.parametrize("octets", EMPTIES, ids=lambda each: each.hex() or "nothing")
@pytest.mark.parametrize("parser", PARSERS)
def test_empty_structures_are_refused_in_an_orderly_way(parser: str, octets: bytes) -> None:
    refuses_or_answers(parser, octets)


@pytest.mark.parametrize("parser", PARSERS)
def test_deep_nesting_is_refused_in_an_orderly_way(parser: str) -> None:
    octets = b""
    for _ in range(2000):
        octets = encode_sequence(octets)
    refuses_or_answers(parser, octets)


@EXAMPLES
@given(st.text(max_size=300))
def test_any_text_is_refused_as_a_request(pem: str) -> None:
    with pytest.raises(Problem):
        parse_csr(pem)
