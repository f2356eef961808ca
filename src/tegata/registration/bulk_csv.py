"""CSV as spreadsheets write it, read part by part, and written so that they do no harm.

RFC 4180 with what Excel makes of it: a BOM or none, UTF-8, UTF-16 or Shift_JIS (its cp932),
commas, semicolons or tabs, a first line ``sep=;``, any line end, PEM over several lines in quotes.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from tegata.kernel.problem import Problem, ProblemCode
from tegata.registration.bulk_model import ROWS_MAXIMUM, BulkAct, BulkRow

RECORD_MAXIMUM = 64 * 1024
_OWN = ("certificate", "serial", "issuer", "reference")
# Which columns a file for an act may have, and of which it must have one.
COLUMNS: Mapping[BulkAct, Sequence[str]] = {
    BulkAct.ISSUE: ("csr", "issuer", "profile", "reference"),
    BulkAct.RENEW: _OWN,
    BulkAct.REVOKE: (*_OWN, "reason"),
    BulkAct.HOLD: _OWN,
    BulkAct.RELEASE: _OWN,
}
_NEEDED: Mapping[BulkAct, frozenset[str]] = {
    act: frozenset({"csr"} if act is BulkAct.ISSUE else {"certificate", "serial"})
    for act in BulkAct
}
_DELIMITERS = ",;\t"
# What a spreadsheet may take for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Octets from the first that is not ASCII that tell UTF-8 from Shift_JIS.
_SAMPLE = 8 * 1024
_ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "shift_jis": "cp932", "cp932": "cp932",
              "windows-31j": "cp932", "us-ascii": "utf-8"}  # fmt: skip
_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")


class TextReader:
    """Octets to text, in the encoding that they turn out to be in."""

    def __init__(self, charset: str = "") -> None:
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._begun = False
        if charset:
            known = _ENCODINGS.get(charset.lower())
            if known is None:
                raise refused(f"charset {charset}: send utf-8, utf-16 or shift_jis")
            self._declared: str | None = known
        else:
            self._declared = None

    def feed(self, octets: bytes, *, final: bool = False) -> str:
        """The text of what has come, as far as it is certain."""
        self._held += octets
        text = ""
        if not self._begun:
            if len(self._held) < 3 and not final:
                return ""
            self._begin()
        if self._decoder is None:
            text = self._ascii(final=final)
        if self._decoder is not None:
            held, self._held = self._held, b""
            try:
                text += self._decoder.decode(held, final)
            except UnicodeDecodeError as error:
                raise refused(
                    f"the file is not {error.encoding} all through: it has mixed encodings, or "
                    "another one"
                ) from error
        return text

    def _begin(self) -> None:
        self._begun = True
        for mark, encoding in _BOMS:
            if self._held.startswith(mark):
                self._held = self._held[len(mark) :]
                self._declared = encoding
                break
        if self._declared is not None:
            self._decoder = codecs.getincrementaldecoder(self._declared)()

    def _ascii(self, *, final: bool) -> str:
        """What is the same in UTF-8 and Shift_JIS; a decoder once it is not."""
        found = _NOT_ASCII.search(self._held)
        if found is None:
            text, self._held = self._held.decode("ascii"), b""
            return text
        text, self._held = self._held[: found.start()].decode("ascii"), self._held[found.start() :]
        if final or len(self._held) >= _SAMPLE:
            self._decoder = codecs.getincrementaldecoder(_encoding(self._held, final=final))()
        return text


def _encoding(sample: bytes, *, final: bool) -> str:
    """What a sample is in, whose first octet is not ASCII."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final)
    except UnicodeDecodeError as error:
        before = [each for each in sample[: error.start].decode("utf-8") if not each.isascii()]
        if len(before) > 1 and all(map(_is_likely, before)):
            # Shift_JIS that begins with two such characters in UTF-8 is rarer than two files
            # that were put together.
            raise refused("the file has mixed encodings: UTF-8 and another one") from error
        return "cp932"
    return "utf-8"


def _is_likely(character: str) -> bool:
    """Whether it is kana, kanji, full width or Latin."""
    return "\u3000" <= character <= "\u9fff" or character >= "\uff00" or character < "\u0250"


class BulkReader:
    """The rows of a file, from its octets as they come."""

    def __init__(self, act: BulkAct, charset: str = "") -> None:
        self._act = act
        self._text = TextReader(charset)
        self._line = ""
        self._record: list[str] = []
        self._size = 0
        self._quoted = False
        self._delimiter = ""
        self._columns: Sequence[str] = ()
        self.rows = 0

    def feed(self, octets: bytes, *, final: bool = False) -> list[BulkRow]:
        """The rows that are whole; `Problem(bulk.file-refused)` when the file is not readable."""
        text = self._line + self._text.feed(octets, final=final)
        if not final and text.endswith("\r"):
            text, kept = text[:-1], "\r"
        else:
            kept = ""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line = lines.pop() + kept
        if final and self._line:
            lines.append(self._line)
            self._line = ""
        if len(self._line) > RECORD_MAXIMUM:
            raise self._too_long()
        rows = [row for line in lines for row in self._take(line)]
        if final:
            if self._record:
                raise refused(f"row {self.rows + 1}: a quotation mark is not closed")
            if not self._columns:
                raise refused("the file has no header")
        return rows

    def _take(self, line: str) -> list[BulkRow]:
        self._record.append(line)
        self._size += len(line) + 1
        if self._size > RECORD_MAXIMUM:
            raise self._too_long()
        if line.count('"') % 2:
            self._quoted = not self._quoted
        if self._quoted:
            return []
        record, self._record, self._size = self._record, [], 0
        text = "\n".join(record)
        if not text.strip(" \t,;"):
            return []
        if not self._columns:
            self._header(text)
            return []
        return [self._row(text)]

    def _too_long(self) -> Problem:
        return refused(
            f"row {self.rows + 1} has more than {RECORD_MAXIMUM} characters; a quotation mark may "
            "not be closed"
        )

    def _header(self, text: str) -> None:
        if not self._delimiter and text.lower().startswith("sep=") and len(text) == 5:
            self._delimiter = text[4]
            return
        known = COLUMNS[self._act]
        for delimiter in self._delimiter or _DELIMITERS:
            columns = [name.strip().lower() for name in _fields(text, delimiter)]
            while columns and not columns[-1]:
                columns.pop()
            if columns and set(columns) <= set(known):
                break
        else:
            raise refused(f"the header must be of these columns: {', '.join(known)}")
        if len(set(columns)) != len(columns):
            raise refused("a column stands twice in the header")
        if not _NEEDED[self._act] & set(columns):
            raise refused(f"the header lacks {' or '.join(sorted(_NEEDED[self._act]))}")
        self._delimiter, self._columns = delimiter, columns

    def _row(self, text: str) -> BulkRow:
        self.rows += 1
        if self.rows > ROWS_MAXIMUM:
            raise refused(f"a file has at most {ROWS_MAXIMUM} rows")
        try:
            values = _fields(text, self._delimiter)
        except csv.Error as error:
            raise refused(f"row {self.rows}: {error}") from error
        if len(values) > len(self._columns) and any(values[len(self._columns) :]):
            # Told in the row's own answer.
            return BulkRow(self.rows, {"": "there are more fields than columns"})
        fields = zip(self._columns, values, strict=False)
        return BulkRow(self.rows, {name: value.strip() for name, value in fields if value.strip()})


def _fields(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise refused(f"not CSV: {error}") from error


def refused(detail: str) -> Problem:
    """The refusal of a whole file."""
    return Problem(ProblemCode.BULK_FILE_REFUSED, detail)


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before what may be."""
    return f"'{text}" if text.startswith(_FORMULA) and not text.startswith("-----BEGIN ") else text


def encode_records(records: Iterable[Sequence[str]]) -> bytes:
    """Records as Excel reads them: quoted where needed, CRLF, UTF-8 (begin with `BOM`)."""
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="\r\n").writerows(
        [neutral(value) for value in record] for record in records
    )
    return target.getvalue().encode("utf-8", "replace")


BOM = codecs.BOM_UTF8
