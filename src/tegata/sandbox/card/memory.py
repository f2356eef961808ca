"""What a card remembers without power: tries left and PINs that were changed."""

from __future__ import annotations

from dataclasses import dataclass

from tegata.sandbox.card.files import PinFile
from tegata.sandbox.keys import Cabinet, SandboxError


@dataclass(frozen=True, slots=True)
class CardMemory:
    """The counters and PINs of one card, in a file of the sandbox's folder."""

    cabinet: Cabinet
    card: str

    def left(self, name: str, pin: PinFile) -> int | None:
        """How many tries a PIN has left; None for one that is never blocked."""
        if pin.tries is None:
            return None
        left = self._read(name).get("left", pin.tries)
        if not isinstance(left, int) or not 0 <= left <= pin.tries:
            raise SandboxError(f"{self._file}: the tries of {name}")
        return left

    def value(self, name: str, pin: PinFile) -> bytes:
        """The PIN as it is now."""
        return str(self._read(name).get("value", pin.value.decode())).encode()

    def set_left(self, name: str, left: int) -> None:
        """Remember how many tries are left."""
        self._write(name, {**self._read(name), "left": left})

    def set_value(self, name: str, value: bytes) -> None:
        """Remember another PIN."""
        self._write(name, {**self._read(name), "value": value.decode()})

    def clear(self) -> None:
        """Forget everything: the card is as it was issued."""
        self.cabinet.write(self._file, {})

    @property
    def _file(self) -> str:
        return f"cards/{self.card}.json"

    def _read(self, name: str) -> dict[str, object]:
        kept = self.cabinet.read(self._file).get(name, {})
        if not isinstance(kept, dict):
            raise SandboxError(f"{self._file}: {name}")
        return kept

    def _write(self, name: str, kept: dict[str, object]) -> None:
        with self.cabinet.turn:
            self.cabinet.write(self._file, {**self.cabinet.read(self._file), name: kept})
