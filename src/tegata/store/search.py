"""The search for certificates: which order answers a query, and from where to where.

What no index holds together is looked at row by row, and only so many rows for one page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tegata.issuance.serials import serial_month, serial_octets
from tegata.kernel.ids import IssuerId
from tegata.kernel.month import LAST_MONTH, expiry_month
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.registration.model import (
    CertificateQuery,
    CertificateState,
    NameMatch,
    SerialMatch,
)
from tegata.store.instants import to_milliseconds
from tegata.store.issuance import fingerprint_number, searchable
from tegata.store.orders import Key, Order
from tegata.store.statement import Parameters, Statement


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is answered: from `start` in an order to `stop`, then from another place to
    another.

    `filtered` when rows of that range may not be what was asked for.
    """

    order: Order
    start: Key
    stop: object
    fixed: Parameters
    ascending: bool = True
    then: tuple[Key, object] | None = None
    epochs: tuple[int, int] = (0, LAST_MONTH)
    filtered: bool = False

    @property
    def statement(self) -> Statement:
        """The statement of its order and direction."""
        return self.order.statement(ascending=self.ascending)

    def ranges(self, after: Key | None) -> list[tuple[Key, object]]:
        """What is left to read after a place: from where, to where."""
        ranges = [(self.start, self.stop)]
        if self.then is not None:
            ranges.append(self.then)
        if after is None:
            return ranges
        if self.then is not None and after >= self.then[0]:
            return [(after, self.then[1])]
        return [(after, self.stop), *ranges[1:]]

    def parameters(self, start: Key, stop: object, limit: int) -> Parameters:
        """What the statement binds to read a range."""
        places = {f"start_{place}": value for place, value in enumerate(start)}
        low, high = self.epochs
        return {
            **self.fixed, **places, "stop": stop, "limit": limit,
            "epoch_low": low, "epoch_high": high,
        }  # fmt: skip


# The hexadecimal digits of a fingerprint that the index holds.
INDEXED_DIGITS = 16
# Before and after every instant, and every id, that the store can hold.
_NEVER, _ALWAYS = -(1 << 62), 1 << 62
_FIRST_ID, _LAST_ID = b"", b"\xff" * 17
_END_OF_TEXT = "\U0010ffff" * 2


def plan(query: CertificateQuery, now: datetime) -> Plan | None:
    """How to answer a query at an instant; None when nothing can be what it asks for."""
    low, high = _window(query, now)
    if low is not None and high is not None and low >= high:
        return None
    planned = _plan_match(query) or _plan_expiry(query, low, high)
    first, last = planned.epochs
    if low is not None:
        first = max(first, expiry_month(low))
    if high is not None:
        last = min(last, expiry_month(high))
    return replace(planned, epochs=(first, last), filtered=_is_filtered(query, planned.order))


def _window(query: CertificateQuery, now: datetime) -> tuple[datetime | None, datetime | None]:
    low, high = query.expires_after, query.expires_before
    if query.state is CertificateState.VALID:
        low = now if low is None else max(low, now)
    elif query.state is CertificateState.EXPIRED:
        high = now if high is None else min(high, now)
    return low, high


def _plan_match(query: CertificateQuery) -> Plan | None:
    if query.fingerprint is not None:
        digits = query.fingerprint.digits[:INDEXED_DIGITS]
        lowest = fingerprint_number(bytes.fromhex(digits.ljust(INDEXED_DIGITS, "0")))
        highest = fingerprint_number(bytes.fromhex(digits.ljust(INDEXED_DIGITS, "f")))
        return Plan(Order.FINGERPRINT, (lowest, _FIRST_ID), highest, {})
    if query.serial is not None:
        return _plan_serial(query.serial, query.issuer)
    if query.name is not None:
        return _plan_name(query.name)
    if query.subject is not None:
        value = query.subject.value
        if not query.subject.prefix:
            return _exactly(Order.SUBJECT, value)
        return Plan(Order.SUBJECT, (value, _FIRST_ID), text_after(value), {})
    return None


def _plan_serial(serial: SerialMatch, issuer_id: IssuerId | None) -> Plan:
    months = serial_month(serial.lowest), serial_month(serial.highest)
    epochs = (months[0] or 0, months[1] if months[1] is not None else LAST_MONTH)
    before, stop = serial_octets(serial.lowest - 1), serial_octets(serial.highest)
    if issuer_id is not None:
        fixed = {"issuer": issuer_id}
        if serial.lowest == serial.highest:
            # One that another CA gave may only look as if it carried its month (ADR 18).
            epochs = (0, LAST_MONTH)
        return Plan(Order.SERIAL_OF_ISSUER, (before,), stop, fixed, epochs=epochs)
    return Plan(Order.SERIAL, ("", before), stop, {"lowest": before}, epochs=epochs)


def _plan_name(name: NameMatch) -> Plan:
    value = searchable(GeneralName(name.kind, name.value))
    if not name.prefix:
        return _exactly(Order.NAME, value)
    if name.kind is not GeneralNameKind.DNS:
        return Plan(Order.NAME, (value, _FIRST_ID), text_after(value), {})
    # The name itself, and what has a label below it. Not in one range: "-" sorts before ".".
    below = value + "."
    only = value + "\x01"
    subtree = (below, _FIRST_ID), text_after(below)
    return Plan(Order.NAME, (value, _FIRST_ID), only, {}, then=subtree)


def _exactly(order: Order, value: str) -> Plan:
    """What is of one value, newest first."""
    return Plan(order, (value, _LAST_ID), value, {}, ascending=False)


def _plan_expiry(query: CertificateQuery, low: datetime | None, high: datetime | None) -> Plan:
    order = Order.EXPIRY
    fixed: Parameters = {}
    if query.state in (CertificateState.REVOKED, CertificateState.HELD):
        held = query.state is CertificateState.HELD
        order = Order.EXPIRY_OF_HELD if held else Order.EXPIRY_OF_REVOKED
    elif query.issuer is not None:
        order, fixed = Order.EXPIRY_OF_ISSUER, {"issuer": query.issuer}
    elif query.profile is not None:
        order, fixed = Order.EXPIRY_OF_PROFILE, {"profile": query.profile}
    elif low is None and high is None:
        return Plan(Order.NEWEST, (_LAST_ID,), _FIRST_ID, {}, ascending=False)
    from_, until = (
        _NEVER if low is None else to_milliseconds(low),
        _ALWAYS if high is None else to_milliseconds(high),
    )
    ends: tuple[Key, Key] = ((_FIRST_ID,), (_LAST_ID,))
    if order in (Order.EXPIRY_OF_REVOKED, Order.EXPIRY_OF_HELD):
        ends = ("", b""), (_END_OF_TEXT, _LAST_ID)
    # What is still to come is read forwards; what was, from its end.
    asked = query.expires_after is not None or query.expires_before is not None
    if query.state is CertificateState.VALID or (
        asked and query.state is not CertificateState.EXPIRED
    ):
        return Plan(order, (from_, *ends[0]), until, fixed)
    return Plan(order, (until, *ends[0]), from_, fixed, ascending=False)


def _is_filtered(query: CertificateQuery, order: Order) -> bool:
    """Whether the range may hold rows that `registration.search.matches` refuses."""
    if query.visible is not None or query.state is CertificateState.VALID:
        return True
    by_expiry = order.name.startswith("EXPIRY")
    if not by_expiry and any((query.state, query.expires_after, query.expires_before)):
        return True
    if order is Order.EXPIRY_OF_REVOKED:
        return True
    issuers = (Order.EXPIRY_OF_ISSUER, Order.SERIAL_OF_ISSUER)
    if query.issuer is not None and order not in issuers:
        return True
    return query.profile is not None and order is not Order.EXPIRY_OF_PROFILE


def text_after(prefix: str) -> str:
    """The first text, by octets, after all that begin with a prefix."""
    for place in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[place]) + 1
        if code == 0xD800:
            code = 0xE000  # surrogates stand in no text
        if code <= 0x10FFFF:
            return prefix[:place] + chr(code)
    return _END_OF_TEXT
