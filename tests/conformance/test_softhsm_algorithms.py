"""CAs of every algorithm that SoftHSM has, with their keys in it; and those that it has not."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.components import require
from tests.conformance.authorities import POST_QUANTUM, make_authorities
from tests.conformance.running import Running, attempt, run, running
from tests.conformance.test_softhsm import LABEL, MODULE, Token, make_token

require("openssl", "verifies what the token signed")
# Larger RSA keys take the token long to make; tests/signers/test_pkcs11.py makes one of each.
NAMES = ("p384", "p521", "rsa-2048", "rsa-2048-pss", "ed25519")


@dataclass(frozen=True, slots=True)
class Held:
    """A platform on a token that holds the keys of many CAs."""

    platform: Running
    token: Token
    authorities: dict[str, list[str]]


def make(token: Token, folder: Path, *names: str) -> dict[str, list[str]]:
    where = (str(MODULE), LABEL, str(token.pin_file))
    return make_authorities(folder / "data", *names, token=where, environment=token.environment)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Generator[Held]:
    token = make_token(tmp_path_factory.mktemp("token"))
    folder = tmp_path_factory.mktemp("softhsm")
    made = make(token, folder, *NAMES)
    with running(folder, *token.options, environment=token.environment) as started:
        yield Held(started, token, made)


@pytest.mark.parametrize("name", NAMES)
def test_openssl_verifies_what_a_token_s_ca_signed(held: Held, name: str, tmp_path: Path) -> None:
    issuing = held.authorities[name][1]
    issued = held.platform.issue(issuer=issuing)
    chain = ("-CAfile", issued.root, "-untrusted", issued.issuing, "-x509_strict")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(held.platform.crl(issuing).public_bytes(Encoding.PEM))
    lists = ("-crl_check", "-CRLfile", crl)
    assert attempt("openssl", "verify", *chain, *lists, issued.leaf)[0] == 0
    asked = ("-issuer", issued.issuing, "-cert", issued.leaf, "-CAfile", issued.root)
    text = run("openssl", "ocsp", *asked, "-url", held.platform.responder)
    assert "Response verify OK" in text
    assert f"{issued.leaf}: good" in text


def test_no_private_key_can_leave_the_token(held: Held) -> None:
    listed = held.token.tool("--list-objects", "--type", "privkey")
    assert listed.count("Private Key Object; RSA") >= 4
    assert listed.count("Private Key Object") == listed.count("never extractable, local")


@pytest.mark.parametrize("name", POST_QUANTUM)
def test_an_algorithm_that_the_token_has_not_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    token = make_token(tmp_path_factory.mktemp("token"))
    with pytest.raises(AssertionError, match=rf"key\.algorithm-refused: .*\(pkcs11\).* {name} "):
        make(token, tmp_path_factory.mktemp("poor"), name)
