"""What an application of the card holds: data, records, PINs, keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import rsa


class PinForm(StrEnum):
    """What a PIN may look like: the patterns of the card's PINs."""

    DIGITS_4 = "[0-9]{4}"
    SIGNING = "[A-Z0-9]{6,16}"
    DIGITS_6 = "[0-9]{6}"
    DIGITS_12 = "[0-9]{12}"
    DIGITS_14 = "[0-9]{14}"

    def allows(self, value: bytes) -> bool:
        """Whether it may be a PIN of this form."""
        return re.fullmatch(self.value.encode(), value) is not None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A transparent file. `access` has the PINs of which any one opens it; none: it is free."""

    content: bytes
    access: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A file of records, counted from 1."""

    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PinFile:
    """A PIN as the card was issued with it. `tries` is None for one that is never blocked."""

    value: bytes
    form: PinForm
    tries: int | None
    changeable: bool = False


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key, made when it is first used. `access` is as of a file's.

    `internal` keys answer INTERNAL AUTHENTICATE and nothing else.
    """

    key: Callable[[], rsa.RSAPrivateKey]
    access: frozenset[int] = frozenset()
    internal: bool = False


@dataclass(frozen=True, slots=True)
class InternalFile:
    """A file that can be selected and neither read nor used."""


File = DataFile | RecordFile | PinFile | KeyFile | InternalFile


@dataclass(frozen=True, slots=True)
class Application:
    """An application: its identifier, its name in the card's file, and its files by id."""

    aid: bytes
    name: str
    files: Mapping[int, File]
    # Which class and instruction change a PIN here.
    change: tuple[int, int] = (0x00, 0x24)
