"""The API's TLS follows RFC 9325, as `openssl s_client` finds it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.components import require
from tests.conformance.running import Running, attempt

require("openssl", "tells which versions and ciphers the API takes")

# The API's certificate has a P-256 key, so of TLS 1.2's ciphers only those for ECDSA can be taken.
TLS_1_2 = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
}
TLS_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
# Offers what a client of today would not offer by itself.
ANYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
OFFERED_AT_LEAST = 60


def shake_hands(platform: Running, *options: str, says: str = "") -> tuple[bool, str]:
    """Whether `s_client` and the API came to terms, and all that it printed."""
    api = urlsplit(platform.context["api"])
    _code, text = attempt(
        *("openssl", "s_client", "-connect", f"{api.hostname}:{api.port}"),
        *("-servername", "localhost", "-CAfile", platform.context["tls_ca"], *options),
        text=says,
    )
    cipher = re.search(r"Cipher is (\S+)", text)
    return cipher is not None and cipher[1] not in ("(NONE)", "0000"), text


def offered() -> list[str]:
    """Every cipher that this OpenSSL can offer for TLS 1.2 and earlier."""
    _code, text = attempt("openssl", "ciphers", ANYTHING)
    return [name for name in text.strip().split(":") if not name.startswith("TLS_")]


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_versions_before_1_2_are_refused(platform: Running, version: str) -> None:
    # RFC 9325 section 3.1.1: MUST NOT negotiate them.
    agreed, text = shake_hands(platform, version, "-cipher", ANYTHING)
    assert not agreed
    # It was the API that ended it, not our own library that offered nothing.
    assert "no protocols available" not in text
    assert "unexpected eof" in text or "alert protocol version" in text


@pytest.mark.parametrize(
    ("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3"), ("", "TLSv1.3")]
)
def test_versions_1_2_and_1_3_are_spoken_and_the_newer_preferred(
    platform: Running, option: str, version: str
) -> None:
    agreed, text = shake_hands(platform, *([option] if option else []), "-verify_return_error")
    assert agreed
    assert f"New, {version}" in text
    assert "Verify return code: 0 (ok)" in text


def test_tls_1_2_has_ciphers_with_forward_secrecy_and_aead_only(platform: Running) -> None:
    # RFC 9325 sections 4.1 and 4.2: no NULL, RC4, export, 3DES, CBC, static RSA, DH or anonymous.
    names = offered()
    assert len(names) >= OFFERED_AT_LEAST
    assert set(names) > TLS_1_2
    taken = {
        name
        for name in names
        if shake_hands(platform, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0")[0]
    }
    assert taken == TLS_1_2


def test_tls_1_3_has_the_ciphers_with_whole_tags(platform: Running) -> None:
    suites = [*TLS_1_3, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]
    taken = {name for name in suites if shake_hands(platform, "-tls1_3", "-ciphersuites", name)[0]}
    assert taken == TLS_1_3


def test_keys_are_agreed_on_curves_of_at_least_128_bits(platform: Running) -> None:
    # RFC 9325 section 4.4: Curve25519 and P-256 are the ones to support.
    for version, group, key in (
        ("-tls1_3", "X25519", "X25519, 253 bits"),
        ("-tls1_3", "P-256", "ECDH, prime256v1, 256 bits"),
        ("-tls1_2", "P-256", "ECDH, prime256v1, 256 bits"),
    ):
        _agreed, text = shake_hands(platform, version, "-groups", group)
        assert f"Server Temp Key: {key}" in text


def test_nothing_is_compressed(platform: Running) -> None:
    # RFC 9325 section 3.3: CRIME and its kin.
    _agreed, text = shake_hands(platform, "-tls1_2", "-comp")
    assert "Compression: NONE" in text


def test_a_client_cannot_renegotiate(platform: Running) -> None:
    # RFC 9325 section 3.5: where renegotiation is possible it must be secure; here it is not.
    agreed, text = shake_hands(platform, "-tls1_2", says="R\n")
    assert agreed
    assert "RENEGOTIATING" in text
    assert "no renegotiation" in text


def test_the_certificate_has_a_strong_key_and_names_the_server(
    platform: Running, tmp_path: Path
) -> None:
    # RFC 9325 sections 4.5 and 6.1.
    _agreed, text = shake_hands(platform, "-verify_hostname", "localhost", "-verify_return_error")
    assert "Verify return code: 0 (ok)" in text
    pem = tmp_path / "api.pem"
    pem.write_text(text[text.index("-----BEGIN") : text.index("-----END")] + _END)
    _code, shown = attempt("openssl", "x509", "-in", pem, "-noout", "-text")
    assert "ASN1 OID: prime256v1" in shown
    assert "Signature Algorithm: ecdsa-with-SHA256" in shown
    assert "localhost" in shown


_END = "-----END CERTIFICATE-----\n"
