"""What other authorities answer: believed only when everything about it is right."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from tegata.pkix import oids
from tegata.pkix.tsp import TimeStampRequest, encode_time_stamp_request, message_imprint
from tegata.pkix.tsp_verify import TokenFault, TokenInvalid, verify_response
from tests.timestamping.elsewhere import Elsewhere

NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
IMPRINT = message_imprint(oids.SHA256, hashlib.sha256(b"data").digest())
REQUEST = TimeStampRequest(1, IMPRINT, nonce=1 << 64, certificates=True)
OCTETS = encode_time_stamp_request(REQUEST)
FAULTS = {
    "refusing": TokenFault.REFUSED,
    "garbage": TokenFault.MALFORMED,
    "no token": TokenFault.MALFORMED,
    "another nonce": TokenFault.NONCE,
    "no nonce": TokenFault.NONCE,
    "another imprint": TokenFault.IMPRINT,
    "another key": TokenFault.SIGNATURE,
    "another digest": TokenFault.SIGNATURE,
    "another certificate": TokenFault.SIGNATURE,
    "no certificates": TokenFault.CERTIFICATE,
    "not for stamping": TokenFault.CERTIFICATE,
    "for more than stamping": TokenFault.CERTIFICATE,
    "no usage": TokenFault.CERTIFICATE,
    "expired": TokenFault.CERTIFICATE,
}


def an_authority(mode: str = "good") -> Elsewhere:
    return Elsewhere(now=lambda: NOW, mode=mode)


def fault_of(octets: bytes, authority: Elsewhere) -> TokenFault:
    with pytest.raises(TokenInvalid) as caught:
        verify_response(octets, REQUEST, [authority.anchor])
    return caught.value.fault


def test_a_good_token_says_when() -> None:
    authority = an_authority()
    found = verify_response(authority.answer(OCTETS), REQUEST, [authority.anchor])
    assert found.info.gen_time == NOW
    assert found.info.imprint.digest == IMPRINT.digest


@pytest.mark.parametrize("mode", FAULTS)
def test_every_lie_has_a_name(mode: str) -> None:
    authority = an_authority(mode)
    assert fault_of(authority.answer(OCTETS), authority) is FAULTS[mode]


def test_a_token_of_somebody_not_trusted_is_refused() -> None:
    answer = an_authority().answer(OCTETS)
    assert fault_of(answer, an_authority()) is TokenFault.CERTIFICATE


def test_no_octet_of_a_token_can_be_another() -> None:
    authority = an_authority()
    answer = authority.answer(OCTETS)
    believed = []
    for place in range(0, len(answer), 3):
        changed = bytearray(answer)
        changed[place] ^= 0x01
        try:
            found = verify_response(bytes(changed), REQUEST, [authority.anchor])
        except TokenInvalid:
            continue
        believed.append(place)
        # The text beside a status and certificates that nobody needs are not signed.
        assert found.info.gen_time == NOW
        assert found.info.imprint == IMPRINT
    assert len(believed) < len(answer) // 3
