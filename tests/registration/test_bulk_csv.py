"""CSV as spreadsheets write it, fed in pieces of every size."""

from __future__ import annotations

import csv
import io

import pytest

from tegata.kernel.problem import Problem
from tegata.registration.bulk_csv import BulkReader, encode_records, neutral
from tegata.registration.bulk_model import BulkAct

PEM = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\nAAAA\n-----END CERTIFICATE REQUEST-----"
NOTES = ["受付", "齋藤", "髙橋", "ｶﾅ", "plain", "a, b; c\td"]


def written(delimiter: str) -> str:
    target = io.StringIO(newline="")
    rows = [(note, PEM) for note in NOTES]
    csv.writer(target, delimiter=delimiter).writerows([("Reference", "CSR"), *rows])
    return target.getvalue()


def read(octets: bytes, size: int, act: BulkAct = BulkAct.ISSUE) -> list[dict[str, str]]:
    reader = BulkReader(act)
    rows = []
    for start in range(0, len(octets), size):
        rows += reader.feed(octets[start : start + size])
    rows += reader.feed(b"", final=True)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [dict(row.fields) for row in rows]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_a_file_is_the_same_in_whatever_pieces_it_comes(
    encoding: str, delimiter: str, size: int
) -> None:
    expected = [{"reference": note, "csr": PEM} for note in NOTES]
    assert read(written(delimiter).encode(encoding), size) == expected


@pytest.mark.parametrize("name", ["齋藤", "鶴岡", "髙橋", "櫻井", "桜", "籠", "顏"])
def test_shift_jis_is_known_whatever_name_comes_first(name: str) -> None:
    octets = f"reference,csr\r\n{name},x\r\n".encode("cp932")
    assert read(octets, 5) == [{"reference": name, "csr": "x"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_and_empty_lines(end: str) -> None:
    text = end.join(["csr", "a", "", ",", '"b"'])
    assert read(text.encode(), 1) == [{"csr": "a"}, {"csr": "b"}]


def test_the_line_that_tells_excel_its_separator_is_taken() -> None:
    assert read(b"sep=;\r\ncsr;reference\r\na;b,c\r\n", 3) == [{"csr": "a", "reference": "b,c"}]


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"csr,x\n", b"csr,csr\n", b"reference\n1\n", b'csr\n"a', b'csr\n"a"b,c\n',
        "reference,csr\n東京,x\n".encode() + "大阪,x\n".encode("cp932"), b"\xff\xfec\n",
        b"csr\n" + b"a" * 70_000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(octets: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read(octets, 1000)
    assert refused.value.code == "bulk.file-refused"


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "=cmd|' /C calc'!A0", "＝1"]
)
def test_formulas_are_written_as_text(text: str) -> None:
    assert neutral(text) == f"'{text}"
    assert neutral("a" + text) == "a" + text
    assert (
        next(csv.reader(io.StringIO(encode_records([(text,)]).decode(), newline="")))[0][0] == "'"
    )


def test_pem_is_written_as_it_is() -> None:
    assert neutral(PEM) == PEM
