"""`tegata sandbox`: what each command prints, writes and refuses."""

import base64
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tegata.main.sandbox_commands import sandbox_group
from tegata.sandbox.card.card import ATR
from tegata.sandbox.people import PEOPLE

TEGATA = Path(sys.executable).with_name("tegata")


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(sandbox_group, arguments)


@contextmanager
def foreground(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A command that runs until it is told to end, and the line that it prints first."""
    with subprocess.Popen(
        [TEGATA, "sandbox", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_personas_are_listed_with_their_pins_and_without_making_keys(tmp_path: Path) -> None:
    result = invoked("personas", "--data", str(tmp_path))
    listed = json.loads(result.output)
    assert listed["pins"] == {"authenticate": "1234", "sign": "TEGATA99", "text": "1234"}
    assert [each["persona"] for each in listed["personas"]] == list(PEOPLE)
    died = next(each for each in listed["personas"] if each["persona"] == "died")
    assert died["latest"] is None
    assert died["certificates"]["sign"]["revoked"] == "cessationOfOperation"
    assert not (tmp_path / "sandbox" / "keys").exists()


def test_keys_that_certify_cards_are_printed_as_the_agent_reads_them(tmp_path: Path) -> None:
    keys = json.loads(invoked("card-keys", "--data", str(tmp_path)).output)
    ((identifier, key),) = keys.items()
    assert bytes.fromhex(identifier).startswith(b"9")
    assert isinstance(load_der_public_key(base64.b64decode(key)), rsa.RSAPublicKey)


def test_faults_are_planted_and_taken_away(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    file = tmp_path / "sandbox" / "faults.json"
    assert invoked("fault", *data, "--ocsp", "tryLater", "--city", "Suita-shi").exit_code == 0
    assert json.loads(file.read_text())["ocsp"] == "tryLater"
    assert invoked("fault", *data).exit_code == 0
    planted = {"ocsp": "none", "crl": "none", "city": "", "down": False}
    assert json.loads(file.read_text()) == planted


@pytest.mark.parametrize(
    "arguments",
    [
        ("fault", "--ocsp", "asleep"),
        ("fault", "--city", "Atlantis"),
        ("card", "--persona", "nobody"),
        ("card",),
        ("card", "--persona", "ordinary", "--vpcd", "localhost"),
        ("card", "--persona", "ordinary", "--vpcd", "localhost:0"),
        ("card", "--persona", "ordinary", "--vpcd", "localhost:65536"),
        ("card", "--persona", "ordinary", "--vpcd", "localhost:ssh"),
        ("card", "--persona", "ordinary", "--pull-after", "0"),
        ("card", "--persona", "ordinary", "--blocked", "text"),
        ("reset-card", "--persona", "nobody"),
        ("serve", "--port", "65536"),
        ("verify",),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    result = invoked(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.output


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "sandbox").write_text("not a folder")
    result = invoked("card-keys", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "Error: " in result.output


def test_serve_answers_until_it_is_told_to_end(tmp_path: Path) -> None:
    with foreground("serve", "--data", str(tmp_path)) as (process, said):
        with urllib.request.urlopen(f"{said['url']}/roots/sign-03.pem", timeout=20) as answer:
            (root,) = x509.load_pem_x509_certificates(answer.read())
        assert "JPKI-SIM" in root.subject.rfc4514_string()
    assert process.returncode == 0


def test_a_card_answers_until_it_is_told_to_leave(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as driver:
        driver.settimeout(30)
        vpcd = f"127.0.0.1:{driver.getsockname()[1]}"
        card = foreground("card", "--persona", "ordinary", "--data", str(tmp_path), "--vpcd", vpcd)
        with card as (process, said):
            assert said == {"card": "ordinary", "vpcd": vpcd}
            connection, _address = driver.accept()
            with connection:
                connection.sendall(b"\x00\x01\x04")
                assert connection.recv(2 + len(ATR)).endswith(ATR)
    assert process.returncode == 0
