"""The checker of published CRLs sees every planted fault, and is silent about what is right."""

from __future__ import annotations

import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tegata.cli.crl_check import CrlChecker
from tegata.kernel.month import month_start
from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix.certificate import assemble
from tegata.pkix.crl import CrlScope, RevocationReason, encode_crl_entry, encode_tbs_cert_list
from tegata.pkix.extensions import key_identifier
from tegata.profiles.catalogue import ISSUING_CA
from tests.fakes.system import FakeClock
from tests.issuance.drafts import ISSUING_NAME, a_draft, tbs_of
from tests.pkix.keys import public_key, sign_p256

ISSUER = "iss_1"
NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
MONTH = (2026 - 2000) * 12 + 6  # July 2026
SERIAL = 1 << 144 | MONTH << 128 | 7
LATER = 1 << 144 | MONTH + 12 << 128 | 8
DAY = timedelta(days=1)
ALGORITHM = SignatureAlgorithm.ECDSA_SHA256


class Publisher:
    """What an outsider sees: lists at addresses, which a test may change as it likes."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, bytes] = {}
        self.clock = FakeClock()
        self.at(NOW)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.files))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self._checker = CrlChecker(
            f"http://127.0.0.1:{self._server.server_port}", folder, self.clock
        )
        certificate = tbs_of(a_draft(ISSUING_CA, "issuing"))
        self.files[f"/ca/{ISSUER}.cer"] = assemble(
            certificate, ALGORITHM, sign_p256("root", certificate)
        )
        self.files[f"/crl/{ISSUER}.json"] = b'{"shards": []}'
        self.publish(1, SERIAL, LATER)

    def at(self, instant: datetime) -> None:
        """Let it be that time."""
        self.clock.instant = instant

    def publish(
        self,
        number: int,
        *serials: int,
        at: datetime | None = None,
        base: int = 1,
        reason: RevocationReason = RevocationReason.SUPERSEDED,
        key: str = "issuing",
        point: str | None = None,
        address: str = "",
    ) -> None:
        """A full list and its delta."""
        this = at or self.clock.instant
        for suffix, scope in (
            ("", CrlScope(point=point)),
            ("-delta", CrlScope(point=point, base=base)),
        ):
            tbs = encode_tbs_cert_list(
                issuer=ISSUING_NAME,
                this_update=this,
                next_update=this + 7 * DAY,
                entries=[encode_crl_entry(each, NOW, reason) for each in serials],
                authority_key=key_identifier(public_key("issuing")),
                number=number,
                signature_algorithm=ALGORITHM,
                scope=scope,
            )
            path = f"/crl/{ISSUER}{address}{suffix}.crl"
            self.files[path] = assemble(tbs, ALGORITHM, sign_p256(key, tbs))

    def alarms(self) -> list[str]:
        """The codes of what the checker finds, in order of address."""
        return sorted({alarm.finding.code for alarm in self._checker.check([ISSUER])})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(files: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            octets = files.get(self.path)
            self.send_response(200 if octets is not None else 404)
            self.end_headers()
            self.wfile.write(octets or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
            """Say nothing."""

    return Handler


@pytest.fixture
def published(tmp_path: Path) -> Generator[Publisher]:
    publisher = Publisher(tmp_path / "state")
    assert publisher.alarms() == []
    yield publisher
    publisher.close()


def test_a_growing_list_raises_no_alarm(published: Publisher) -> None:
    published.publish(2, SERIAL, LATER, LATER + 1)
    assert published.alarms() == []


def test_an_entry_that_leaves_before_its_month_is_over_is_missed_until_it_is_back(
    published: Publisher,
) -> None:
    published.publish(2, LATER)
    assert published.alarms() == ["crl.entry-left-early"]
    published.publish(3, LATER)
    assert published.alarms() == ["crl.entry-left-early"]
    published.publish(4, SERIAL, LATER)
    assert published.alarms() == []


@pytest.mark.parametrize(("days", "expected"), [(0, ["crl.entry-left-early"]), (1, [])])
def test_an_entry_may_leave_a_day_after_its_month_and_not_before(
    published: Publisher, days: int, expected: list[str]
) -> None:
    published.at(month_start(MONTH + 1) + days * DAY)
    published.publish(2, LATER)
    assert published.alarms() == expected


def test_an_entry_on_hold_may_leave_at_any_time(published: Publisher) -> None:
    hold = RevocationReason.CERTIFICATE_HOLD
    published.publish(2, SERIAL, LATER, reason=hold)
    assert published.alarms() == []
    published.publish(3, SERIAL)
    assert published.alarms() == []
    published.publish(4)
    assert published.alarms() == ["crl.entry-left-early"]  # revoked for good at last


def test_a_number_that_goes_back_is_seen_for_as_long_as_it_lasts(published: Publisher) -> None:
    published.publish(5, SERIAL, LATER)
    assert published.alarms() == []
    for number in (4, 4):
        published.publish(number, SERIAL, LATER)
        assert published.alarms() == ["crl.number-went-back"]
    published.publish(6, SERIAL, LATER)
    assert published.alarms() == []


def test_a_number_on_two_lists_is_seen(published: Publisher) -> None:
    published.publish(1, SERIAL, LATER, LATER + 1)
    assert published.alarms() == ["crl.number-reused"]


def test_a_list_that_is_not_replaced_in_time_is_seen(published: Publisher) -> None:
    published.at(NOW + 7 * DAY)
    assert published.alarms() == []
    published.at(NOW + 7 * DAY + timedelta(seconds=1))
    assert published.alarms() == ["crl.next-update-passed"]


def test_a_list_dated_before_the_last_one_is_seen(published: Publisher) -> None:
    published.publish(2, SERIAL, LATER, at=NOW - DAY)
    assert published.alarms() == ["crl.this-update-went-back"]


def test_a_list_of_the_future_is_seen(published: Publisher) -> None:
    published.publish(2, SERIAL, LATER, at=NOW + DAY)
    assert published.alarms() == ["crl.this-update-ahead"]


def test_a_list_that_somebody_else_signed_is_seen(published: Publisher) -> None:
    published.publish(2, SERIAL, LATER, key="root")
    assert published.alarms() == ["crl.signature-invalid"]


def test_octets_that_are_no_list_are_seen(published: Publisher) -> None:
    published.files[f"/crl/{ISSUER}.crl"] = b"\x30\x00"
    assert published.alarms() == ["crl.malformed"]


def test_a_list_that_is_gone_is_seen(published: Publisher) -> None:
    del published.files[f"/crl/{ISSUER}-delta.crl"]
    assert published.alarms() == ["crl.unreachable"]


def test_a_list_of_another_scope_is_seen(published: Publisher) -> None:
    published.publish(2, SERIAL, LATER, point="http://a.test/1.crl")
    assert published.alarms() == ["crl.scope-changed"]


def test_a_delta_to_a_list_that_was_not_published_is_seen(published: Publisher) -> None:
    published.publish(2, SERIAL, LATER, base=3)
    assert published.alarms() == ["crl.delta-unusable"]


def test_a_shard_that_vanishes_from_the_index_is_still_looked_at(published: Publisher) -> None:
    published.files[f"/crl/{ISSUER}.json"] = b'{"shards": [1]}'
    published.publish(1, SERIAL, address="/1", point="http://a.test/1.crl")
    assert published.alarms() == []
    published.files[f"/crl/{ISSUER}.json"] = b'{"shards": []}'
    published.publish(2, address="/1", point="http://a.test/1.crl")
    assert published.alarms() == ["crl.entry-left-early"]
