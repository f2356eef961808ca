"""Card readers by PC/SC, through pyscard: the extra `card`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tegata.agent.problems import CardCode, CardProblem


class PcscCard:
    """A card in a reader."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def transmit(self, command: bytes) -> bytes:
        """Send a command; `CardProblem` (card.removed) when no answer comes."""
        from smartcard.Exceptions import SmartcardException

        try:
            data, first, second = self._connection.transmit(list(command))
        except SmartcardException as error:
            raise CardProblem(CardCode.REMOVED) from error
        return bytes((*data, first, second))


def reader_names() -> list[str]:
    """The readers that are connected; `CardProblem` without pyscard or without any."""
    return [str(reader) for reader in _readers()]


@contextmanager
def opened_card(name: str | None) -> Iterator[PcscCard]:
    """The card in a reader (by a part of its name), or in the first that has one.

    No other program uses the card meanwhile, and it is reset afterwards: a verified PIN is nobody
    else's to use.
    """
    connection = _connected(name)
    try:
        yield PcscCard(connection)
    finally:
        connection.disconnect()


def _readers() -> list[Any]:
    try:
        from smartcard.pcsc.PCSCExceptions import BaseSCardException
    except ImportError as error:
        raise CardProblem(CardCode.NO_DRIVER) from error
    try:
        # Importing it asks the PC/SC service already.
        from smartcard.System import readers

        found = list(readers())
    except BaseSCardException as error:
        raise CardProblem(CardCode.NO_READER) from error
    if not found:
        raise CardProblem(CardCode.NO_READER)
    return found


def _connected(name: str | None) -> Any:
    found = [each for each in _readers() if name is None or name in str(each)]
    if not found:
        raise CardProblem(CardCode.NO_READER, name or "")
    from smartcard.Exceptions import SmartcardException
    from smartcard.scard import SCARD_RESET_CARD, SCARD_SHARE_EXCLUSIVE

    for reader in found:
        connection = reader.createConnection()
        try:
            connection.connect(mode=SCARD_SHARE_EXCLUSIVE, disposition=SCARD_RESET_CARD)
        except SmartcardException:
            continue
        return connection
    raise CardProblem(CardCode.NO_CARD)
