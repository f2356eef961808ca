"""What no tenant gets by taking over: keys of a token that are not meant for it, and CAs whose
parts do not fit. Nothing of it leaves a CA behind."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.components import require
from tests.conformance.running import TEGATA, Running, attempt, run, running
from tests.conformance.test_softhsm import Token, make_token
from tests.conformance.test_take_over import authorise, import_key, refused, tegata
from tests.old_ca import OldCa

require("openssl", "ran the CA")
require("softhsm2", "has keys of several owners")


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform on a token, and CAs that are not here."""

    running: Running
    token: Token
    folder: Path
    before: frozenset[str] = frozenset()

    def keys(self) -> frozenset[str]:
        """Every signing key that the database has."""
        path = self.running.data / "tegata.sqlite"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return frozenset(row[0] for row in database.execute("SELECT id FROM signing_key"))

    def an_old_ca(self, name: str) -> OldCa:
        return OldCa.make(self.folder / name, subject=f"/CN={name}")

    def begin(self, old: OldCa) -> str:
        """Why it is refused to take a CA over."""
        given = ("--kind", "issuing", "--certificate", old.certificate)
        return refused(self.running, "ca", "take-over", "begin", old.folder.name, *given)

    def left(self) -> int:
        """How many rows and keys of take-overs the database has."""
        path = self.running.data / "tegata.sqlite"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            tables = ("take_over", "take_over_entry", "foreign_serial")
            return sum(
                database.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables
            )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[Platform]:
    token = make_token(tmp_path_factory.mktemp("token"))
    folder = tmp_path_factory.mktemp("refused")
    with running(folder, *token.options, environment=token.environment) as started:
        known = Platform(started, token, folder)
        yield replace(known, before=known.keys())
        assert "Traceback" not in started.log.read_text()


def own_key(platform: Platform) -> str:
    """The CKA_ID of a key that the platform made for a CA."""
    listed = platform.token.tool("--list-objects", "--type", "privkey")
    found = re.search(r"ID: +([0-9a-f]+)", listed)
    assert found is not None
    return found[1]


def test_a_key_that_the_platform_made_for_somebody_is_nobody_elses(platform: Platform) -> None:
    old = platform.an_old_ca("Thief")
    octets = re.sub("(..)", r"%\1", own_key(platform))
    authorise(platform.running, old, "--key-uri", f"pkcs11:id={octets}")
    said = platform.begin(old)
    assert "take-over.refused" in said
    assert "the platform made" in said


def test_a_handle_that_is_missing_or_fits_several_keys_is_refused(platform: Platform) -> None:
    old = platform.an_old_ca("Missing")
    authorise(platform.running, old, "--key-uri", "pkcs11:object=nobody")
    assert "no such private key" in platform.begin(old)
    twice = platform.an_old_ca("Twice")
    for identifier in ("01", "02"):
        import_key(platform.token, twice.key, "twice", identifier)
    authorise(platform.running, twice, "--key-uri", "pkcs11:object=twice")
    assert "2 objects answer" in platform.begin(twice)


def test_a_key_that_is_not_the_certificates_or_in_another_token_is_refused(
    platform: Platform,
) -> None:
    old, other = platform.an_old_ca("Mismatch"), platform.an_old_ca("Other")
    import_key(platform.token, other.key, "other", "03")
    authorise(platform.running, old, "--key-uri", "pkcs11:object=other")
    assert "not the certificate's" in platform.begin(old)
    elsewhere = platform.an_old_ca("Elsewhere")
    authorise(platform.running, elsewhere, "--key-uri", "pkcs11:token=elsewhere;object=other")
    assert "another token" in platform.begin(elsewhere)


def test_a_key_that_can_leave_the_token_is_refused(platform: Platform) -> None:
    old = platform.an_old_ca("Leaving")
    der = old.folder / "ca.der"
    old.openssl("pkey", "-in", old.key, "-outform", "DER", "-out", der)
    platform.token.tool(
        "--write-object", der, "--type", "privkey", "--label", "leaving", "--id", "04",
        "--usage-sign", "--extractable",
    )  # fmt: skip
    authorise(platform.running, old, "--key-uri", "pkcs11:object=leaving")
    assert "attribute 0x162" in platform.begin(old)  # CKA_EXTRACTABLE


def test_a_word_for_another_tenant_is_none(platform: Platform) -> None:
    old = platform.an_old_ca("Others")
    import_key(platform.token, old.key, "others", "05")
    authorise(platform.running, old, "--key-uri", "pkcs11:object=others", tenant="ten_other")
    assert "key.not-authorised" in platform.begin(old)
    command = (
        TEGATA, "authorise-key", "--data", platform.running.data, "--tenant", "ten_demo",
        "--certificate", old.certificate,
    )  # fmt: skip
    code, text = attempt(*command, "--key-uri", "pkcs11:object=others")
    assert (code, "authorised already" in text) == (1, True)
    run(*command, "--withdraw")
    authorise(platform.running, old, "--key-uri", "pkcs11:object=others")
    begun = tegata(
        platform.running, "ca", "take-over", "begin", "Others", "--kind", "issuing",
        "--certificate", old.certificate,
    )  # fmt: skip
    cancelled = tegata(platform.running, "ca", "take-over", "cancel", begun["id"])
    assert cancelled["id"] == begun["id"]
    assert "take-over.unknown" in refused(platform.running, "ca", "take-over", "show", begun["id"])


def test_a_software_key_must_be_encrypted_and_the_certificates(platform: Platform) -> None:
    old, other = platform.an_old_ca("Open"), platform.an_old_ca("Closed")
    command = (
        TEGATA, "authorise-key", "--data", platform.running.data, "--tenant", "ten_demo",
        "--certificate", old.certificate, "--passphrase-file", old.passphrase, "--key",
    )  # fmt: skip
    for key, says in (
        (old.key, "not encrypted"),
        (other.encrypted_key, "not the certificate's"),
    ):
        code, text = attempt(*command, key)
        assert (code, says in text) == (1, True), text


def test_after_all_that_there_is_no_ca_and_no_key_more_than_before(platform: Platform) -> None:
    assert platform.left() == 0
    issuers = json.dumps(platform.running.call("GET", "/v1/issuers"))
    assert "Thief" not in issuers
    assert "Others" not in issuers
    assert platform.keys() == platform.before
