"""The platform with its keys in a PKCS#11 token (SoftHSM), looked at with other people's tools."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.components import require
from tests.conformance.running import (
    Running,
    refused_to_start,
    run,
    running,
    serve_arguments,
    until,
)

MODULE = require("softhsm2", "keeps the keys")
require("opensc", "looks into the token")
LABEL, PIN = "platform", "648219"


@dataclass(frozen=True, slots=True)
class Token:
    """A SoftHSM token of a test's own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    @property
    def options(self) -> tuple[str, ...]:
        """The options with which the platform uses it."""
        where = ("--pkcs11-module", str(MODULE), "--pkcs11-token", LABEL)
        return (*where, "--pkcs11-pin-file", str(self.pin_file))

    def tool(self, *arguments: str | Path) -> str:
        """What `pkcs11-tool` says, logged in."""
        token = ("--module", MODULE, "--token-label", LABEL, "--login", "--pin", PIN)
        return run("pkcs11-tool", *token, *arguments, environment=self.environment)


def make_token(folder: Path) -> Token:
    (folder / "tokens").mkdir()
    token = Token(folder)
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
    )
    pins = ("--pin", PIN, "--so-pin", "917364")
    run(
        "softhsm2-util", "--init-token", "--free", "--label", LABEL, *pins,
        environment=token.environment,
    )  # fmt: skip
    token.pin_file.write_text(PIN + "\n")
    return token


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    return make_token(tmp_path_factory.mktemp("token"))


@pytest.fixture(scope="module")
def platform(token: Token, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A platform on the token. (It covers the one that serves the other modules.)"""
    folder = tmp_path_factory.mktemp("softhsm")
    with running(folder, *token.options, environment=token.environment) as started:
        yield started


def issuing_key(platform: Running) -> str:
    """The id of the issuing CA's key, which is the CKA_ID of the token's object."""
    with sqlite3.connect(f"file:{platform.data / 'tegata.sqlite'}?mode=ro", uri=True) as database:
        row = database.execute(
            "SELECT signing_key FROM issuer WHERE id = ?", (platform.context["issuer"],)
        ).fetchone()
    return str(row[0])


def test_the_issuing_key_is_an_object_of_the_token(platform: Running, token: Token) -> None:
    listed = token.tool("--list-objects", "--type", "privkey")
    identifier = issuing_key(platform).encode().hex()
    (found,) = (each for each in re.split("(?m)^(?=Private Key)", listed) if identifier in each)
    assert re.search("Usage: +sign", found)
    assert re.search("Access: +sensitive, always sensitive, never extractable, local", found)


def test_a_certificate_verifies_under_the_key_that_the_token_holds(
    platform: Running, token: Token, tmp_path: Path
) -> None:
    issued = platform.issue()
    file = tmp_path / "public.der"
    identifier = issuing_key(platform).encode().hex()
    token.tool("--read-object", "--type", "pubkey", "--id", identifier, "--output-file", file)
    key = load_der_public_key(file.read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    tbs = issued.certificate.tbs_certificate_bytes
    key.verify(issued.certificate.signature, tbs, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(issued.certificate.signature, tbs + b"\0", ec.ECDSA(hashes.SHA256()))


def test_ocsp_and_crl_come_from_the_token_too(platform: Running) -> None:
    issued = platform.issue()
    assert platform.status(issued) == "good"
    platform.revoke(issued)
    assert platform.status(issued) == "revoked"
    crl = platform.crl_with(issued)
    chain = ("-CAfile", issued.issuing)
    assert "verify OK" in run("openssl", "crl", "-in", crl, "-noout", "-verify", *chain)


def test_the_data_keys_are_sealed_by_the_token(platform: Running, token: Token) -> None:
    assert not (platform.data / "sealing.key").exists()
    secrets = token.tool("--list-objects", "--type", "secrkey")
    assert "tegata-sealing" in secrets
    assert re.search("Access: +sensitive, always sensitive, never extractable, local", secrets)
    with sqlite3.connect(f"file:{platform.data / 'tegata.sqlite'}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT tenant, kind, wrapped FROM data_key").fetchall()
        keys = [bytes(row[0]) for row in database.execute("SELECT sealed FROM signing_key")]
    assert len(rows) == 8  # four for each of two tenants
    # A record without the key's own octets: nothing in the folder could be unsealed to it.
    assert all(b"PRIVATE" not in sealed for sealed in keys)
    for tenant, kind, wrapped in rows:
        # Only the token's key opens them, not some key that is known or empty.
        context = f"data-key|{tenant}|{kind}".encode()
        with pytest.raises(InvalidTag):
            AESGCM(bytes(32)).decrypt(wrapped[1:13], wrapped[13:], context)


def test_a_restart_finds_its_keys_again_and_wants_the_token(token: Token, tmp_path: Path) -> None:
    with running(tmp_path, *token.options, environment=token.environment) as first:
        issued = first.issue()
        assert first.stop() == 0
    with running(tmp_path, *token.options, environment=token.environment) as second:
        assert second.context["issuer"] == first.context["issuer"]
        assert second.status(issued) == "good"
        second.revoke(issued)
        again = second.issue()
        assert again.root.read_bytes() == issued.root.read_bytes()
        assert second.status(again) == "good"
    # Without the token these data are of no use.
    code, said = refused_to_start(serve_arguments(tmp_path / "data"), tmp_path / "without.log")
    assert code == 1
    assert said.startswith("Error: ")


def test_a_wrong_pin_is_told_and_presented_once(tmp_path: Path) -> None:
    token = make_token(tmp_path)
    token.pin_file.write_text("000000\n")
    start = serve_arguments(tmp_path / "data", *token.options)
    code, said = refused_to_start(start, tmp_path / "wrong.log", token.environment)
    assert code == 1
    assert said.startswith("Error: ")
    assert f"the token '{LABEL}' refuses the PIN (CKR_PIN_INCORRECT)" in said
    token.pin_file.write_text(PIN)
    with running(tmp_path, *token.options, environment=token.environment) as platform:
        # The PIN was changed behind our back: it is not tried again until the token locks.
        token.pin_file.write_text("000000\n")
        pid = platform.signer_pid()
        assert pid is not None
        os.kill(pid, 9)
        refusal = "could not be started"
        until(lambda: refusal in platform.log.read_text(), 20, "the refusal")
        assert platform.signer_pid() is None
        assert platform.process.poll() is None
        assert platform.log.read_text().count(refusal) == 1


@pytest.mark.parametrize(
    ("missing", "said"),
    [("module", "no-such-module.so"), ("token", "no token is labelled 'other'"), ("pin", "nopin")],
)
def test_a_missing_module_token_or_pin_is_told(
    token: Token, tmp_path: Path, missing: str, said: str
) -> None:
    options = list(token.options)
    place = ("module", "token", "pin").index(missing) * 2 + 1
    options[place] = {"module": "/no-such-module.so", "token": "other", "pin": "/nopin"}[missing]
    start = serve_arguments(tmp_path / "data", *options)
    code, last = refused_to_start(start, tmp_path / "log", token.environment)
    assert code == 1
    assert last.startswith("Error: ")
    assert said in last
