"""Other people's card software takes an emulated card for a real one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.components import missing
from tests.conformance.running import (
    TEGATA,
    Running,
    attempt,
    plain_environment,
    run,
    running,
)
from tests.conformance.virtual_reader import VirtualReaders, virtual_readers

DOCUMENT = "口座を開設します。"
DEBIAN_PYTHON = Path("/usr/lib/python3/dist-packages")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture(scope="module")
def readers(demo: Running, tmp_path_factory: pytest.TempPathFactory) -> Generator[VirtualReaders]:
    folder = tmp_path_factory.mktemp("readers")
    (folder / "data").symlink_to(demo.data)
    with virtual_readers(folder) as started:
        yield started


def pkcs11(*arguments: str | Path) -> str:
    return run("pkcs11-tool", *arguments)


def verified(folder: Path, certificate: str, message: Path, signature: Path) -> str:
    """What openssl says of a signature."""
    pem, key = folder / "certificate.pem", folder / "key.pem"
    pem.write_text(certificate[certificate.index("-----BEGIN") :])
    key.write_text(run("openssl", "x509", "-in", pem, "-pubkey", "-noout"))
    return run(
        "openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, message
    ).strip()


def test_opensc_takes_it_for_a_my_number_card(readers: VirtualReaders, tmp_path: Path) -> None:
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(b"something to sign\n")
    with readers.card("ordinary"):
        assert run("opensc-tool", "--name").strip().endswith("jpki")
        dump = run("pkcs15-tool", "--dump")
        objects = ("PIN [", "Private RSA Key [", "X.509 Certificate [")
        assert [dump.count(each) for each in objects] == [2, 2, 4]
        assert "Tries left     : 3" in dump
        assert "Tries left     : 5" in dump
        pkcs11(
            *("--slot-index", "0", "--login", "--pin", "1234", "--id", "01", "--sign"),
            *("--mechanism", "SHA256-RSA-PKCS", "--input-file", message),
            *("--output-file", signature),
        )
        auth = run("pkcs15-tool", "--read-certificate", "01")
        assert verified(tmp_path, auth, message, signature) == "Verified OK"


def test_a_wrong_pin_counts_down_and_the_signing_certificate_wants_its_own(
    readers: VirtualReaders, tmp_path: Path
) -> None:
    with readers.card("former-name"):
        code, text = attempt(
            *("pkcs11-tool", "--slot-index", "0", "--login", "--pin", "9999", "--list-objects")
        )
        assert code != 0
        assert "CKR_PIN_INCORRECT" in text
        assert "Tries left     : 2" in run("pkcs15-tool", "--list-pins")
        code, text = attempt("pkcs15-tool", "--read-certificate", "02")
        assert code != 0
        read = run(
            *("pkcs15-tool", "--verify-pin", "--auth-id", "02", "--pin", "TEGATA99"),
            *("--read-certificate", "02"),
        )
        pem = tmp_path / "sign.pem"
        pem.write_text(read[read.index("-----BEGIN") :])
        names = run("openssl", "x509", "-in", pem, "-noout", "-ext", "subjectAltName")
        assert "高木［田中］　彩" in names


def test_the_service_accepts_what_pkcs11_tool_signed(
    readers: VirtualReaders, demo: Running, tmp_path: Path
) -> None:
    session = opened(demo, "auth")
    message, signature = tmp_path / "intent", tmp_path / "signature"
    message.write_bytes(base64.b64decode(session["intent"]))
    with readers.card("ordinary"):
        pkcs11(
            *("--slot-index", "0", "--login", "--pin", "1234", "--id", "01", "--sign"),
            *("--mechanism", "SHA256-RSA-PKCS", "--input-file", message),
            *("--output-file", signature),
        )
        pem = run("pkcs15-tool", "--read-certificate", "01")
    body = "".join(pem[pem.index("-----BEGIN") :].split("-----")[2].split())
    decided = demo.call(
        "POST",
        f"/v1/identity/sessions/{session['id']}/submission",
        {"certificate": body, "signature": base64.b64encode(signature.read_bytes()).decode()},
    )
    assert decided["verdict"]["verdict"] == "verified"


def opened(demo: Running, kind: str) -> dict[str, Any]:
    """A session of the demo tenant."""
    demo.call("PUT", "/v1/identity/purposes/card", {"text": "カードの試験"})
    session = {
        "kind": kind,
        "purpose": "card",
        "relying_party": "みなと銀行",
        "origin": "https://bank.example.test",
    }
    if kind == "sign":
        session["document"] = hashlib.sha256(DOCUMENT.encode()).hexdigest()
        session["text"] = DOCUMENT
    answer: dict[str, Any] = demo.call("POST", "/v1/identity/sessions", session)
    return answer


@pytest.fixture(scope="module")
def pyscard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the agent finds pyscard: in its own environment, else Debian's of the same Python."""
    code, _text = attempt(sys.executable, "-c", "import smartcard.scard")
    if code == 0:
        return {}
    folder = tmp_path_factory.mktemp("pyscard")
    (folder / "smartcard").symlink_to(DEBIAN_PYTHON / "smartcard")
    environment = {"PYTHONPATH": str(folder)}
    code, _text = attempt(sys.executable, "-c", "import smartcard.scard", environment=environment)
    if code != 0:
        missing("pyscard", "lets the agent talk to readers")
    return environment


def agent(
    environment: dict[str, str], *arguments: str | Path, typed: str = ""
) -> tuple[int, str, str]:
    done = subprocess.run(
        [TEGATA, "card", *arguments],
        env=plain_environment() | {"LC_ALL": "C.UTF-8"} | environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def signing(
    demo: Running, readers: VirtualReaders, environment: dict[str, str], kind: str, typed: str
) -> tuple[int, str, str]:
    """What the agent does with the card in the reader and a new session."""
    keys = readers.folder / "card-keys.json"
    keys.write_text(run(TEGATA, "sandbox", "card-keys", "--data", demo.data))
    return agent(
        environment,
        *("sign", "--session", opened(demo, kind)["id"], "--context", demo.data / "context.json"),
        *("--card-keys", keys, "--check-text", "--yes", "--pin-stdin"),
        typed=typed,
    )


def test_the_agent_shows_the_card_in_the_reader(
    readers: VirtualReaders, pyscard: dict[str, str]
) -> None:
    with readers.card("ordinary"):
        code, out, err = agent(pyscard, "status")
        assert code == 0, err
        assert "Virtual PCD 00 00" in out
        assert "JPKIAPICCTOKEN2" in out
        assert "tries left: 3" in out
        code, out, err = agent(pyscard | {"LC_ALL": "ja_JP.UTF-8"}, "status")
        assert "カード" in out


@pytest.mark.parametrize(("kind", "pin"), [("sign", "tegata99"), ("auth", "1234")])
def test_the_agent_signs_with_the_card_in_the_reader(
    readers: VirtualReaders, demo: Running, pyscard: dict[str, str], kind: str, pin: str
) -> None:
    with readers.card("ordinary"):
        # The text's PIN is asked for first: the card is looked at before anything is signed.
        code, out, err = signing(demo, readers, pyscard, kind, f"1234\n{pin}\n")
    assert code == 0, err
    verdict = json.loads(out)
    assert verdict["verdict"] == "verified"
    assert "みなと銀行" in err
    assert pin not in out + err


@pytest.mark.parametrize(
    ("persona", "typed", "code", "said"),
    [
        ("cloned", "", 2, "chip.not-genuine"),
        ("tampered-text", "1234\n", 2, "chip.attributes-not-authentic"),
        ("minor", "", 2, "card.no-signing-certificate"),
        ("revoked", "1234\nTEGATA99\n", 1, "revoked.key-compromise"),
        ("ordinary", "1234\nWRONGPIN\n", 2, "card.pin-wrong, 4"),
        ("ordinary", "1234\nshort\n", 2, "card.pin-format"),
    ],
)
def test_the_agent_says_what_is_wrong(
    readers: VirtualReaders,
    demo: Running,
    pyscard: dict[str, str],
    persona: str,
    typed: str,
    code: int,
    said: str,
) -> None:
    with readers.card(persona):
        ended, out, err = signing(demo, readers, pyscard, "sign", typed)
    assert ended == code, out + err
    assert said in out + err


def test_an_empty_reader_and_no_pcscd_are_told_apart(
    readers: VirtualReaders, pyscard: dict[str, str]
) -> None:
    assert readers.port
    code, _out, err = agent(pyscard, "status")
    assert code == 2
    assert "card.absent" in err
    code, _out, err = agent(pyscard | {"PCSCLITE_CSOCK_NAME": os.devnull}, "status")
    assert code == 2
    assert "card.no-reader" in err
