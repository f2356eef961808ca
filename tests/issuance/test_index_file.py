"""OpenSSL's index, read line by line; and files of certificates, element by element."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tegata.issuance.index_file import IndexEntry, IndexReader, TakenRevocation
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.certificate import encode_pem
from tegata.pkix.crl import RevocationReason
from tegata.pkix.der import DerError
from tegata.pkix.foreign import ELEMENT_MAXIMUM, ElementReader

END = datetime(2027, 11, 23, 3, 50, 8, tzinfo=UTC)
AT = datetime(2026, 11, 23, 3, 50, 8, tzinfo=UTC)


def read(*parts: bytes) -> list[IndexEntry]:
    reader = IndexReader()
    found = [entry for part in parts for entry in reader.feed(part)]
    return [*found, *reader.close()]


def line(
    state: str = "V", revoked: str = "", serial: str = "1000", end: str = "271123035008Z"
) -> bytes:
    return f"{state}\t{end}\t{revoked}\t{serial}\tunknown\t/CN=x\n".encode()


def test_an_entry_says_serial_end_and_subject() -> None:
    assert read(line()) == [IndexEntry(0x1000, END, "/CN=x", None)]
    assert read(line("E", end="20271123035008Z").rstrip(b"\n")) == [
        IndexEntry(0x1000, END, "/CN=x", None)
    ]
    (old,) = read(line(end="501123035008Z"))
    assert old.not_after.year == 1950


@pytest.mark.parametrize(
    ("told", "revocation"),
    [
        ("", TakenRevocation(AT, RevocationReason.UNSPECIFIED)),
        (",superseded", TakenRevocation(AT, RevocationReason.SUPERSEDED)),
        (",CACompromise", TakenRevocation(AT, RevocationReason.CA_COMPROMISE)),
        (",holdInstruction,holdInstructionReject",
         TakenRevocation(AT, RevocationReason.CERTIFICATE_HOLD)),
        (",keyTime,20261101000000Z",
         TakenRevocation(AT, RevocationReason.KEY_COMPROMISE, datetime(2026, 11, 1, tzinfo=UTC))),
        (",removeFromCRL", None),
    ],
)  # fmt: skip
def test_a_revocation_has_its_reason(told: str, revocation: TakenRevocation | None) -> None:
    (entry,) = read(line("R", "261123035008Z" + told))
    assert entry.revoked == revocation


def test_it_does_not_matter_where_the_file_is_cut() -> None:
    file = line() + b"\r\n" + line("R", "261123035008Z", "FF" * 20)
    whole = read(file)
    assert [each.serial for each in whole] == [0x1000, (1 << 160) - 1]
    for place in range(len(file)):
        assert read(file[:place], file[place:]) == whole


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (line() + b"V\tx\n", "line 2: an entry has six fields"),
        (line("X"), "begins V, R or E"),
        (line("R"), "a time of revocation"),
        (line("V", "261123035008Z"), "a time of revocation"),
        (line(serial="-1"), "hexadecimal"),
        (line(serial="F" * 41), "hexadecimal"),
        (line(end="soon"), "a time is"),
        (line("R", "261123035008Z,because"), "no such reason: because"),
        (line("R", "261123035008Z,keyTime,never"), "a time is"),
        (b"x" * 20_000, "too long"),
    ],
)
def test_a_line_that_is_wrong_is_named(file: bytes, says: str) -> None:
    with pytest.raises(Problem) as caught:
        read(file)
    assert caught.value.code is ProblemCode.TAKE_OVER_REFUSED
    assert says in caught.value.detail


ELEMENTS = [b"\x30\x03abc", b"\x30\x81\x80" + bytes(128), b"\x30\x82\x01\x00" + bytes(256)]


def elements(*parts: bytes) -> list[bytes]:
    reader = ElementReader(b"CERTIFICATE")
    found = [der for part in parts for der in reader.feed(part)]
    reader.close()
    return found


@pytest.mark.parametrize("form", ["pem", "der"])
def test_elements_are_found_wherever_the_file_is_cut(form: str) -> None:
    if form == "der":
        file = b"".join(ELEMENTS)
    else:
        blocks = [encode_pem("CERTIFICATE", each) for each in ELEMENTS]
        file = ("Subject: CN=x\n" + "\nnotes\n".join(blocks)).encode()
    for place in range(len(file)):
        assert elements(file[:place], file[place:]) == ELEMENTS
    assert elements(*(bytes((octet,)) for octet in file)) == ELEMENTS


@pytest.mark.parametrize(
    "file",
    [
        ELEMENTS[1][:-1],
        b"\x30\x80",
        ELEMENTS[0] + b"\x02\x01\x00",
        b"-----BEGIN CERTIFICATE-----\nAA",
        b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n" + b"A" * (ELEMENT_MAXIMUM + 1),
    ],
)
def test_a_file_that_breaks_off_or_is_none_is_refused(file: bytes) -> None:
    with pytest.raises(DerError):
        elements(file)


def test_a_file_without_certificates_has_none() -> None:
    assert elements(b"") == elements(b"nothing here\n" * 99) == []
