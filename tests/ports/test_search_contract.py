"""What a search finds, on both engines: the same as reading everything, page by page."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from tegata.kernel.ids import CertificateId, IssuerId, TenantId, encode_certificate_id
from tegata.kernel.month import expiry_month
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import platform_acts
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.registration.model import (
    CertificateQuery,
    CertificateState,
    FingerprintMatch,
    NameMatch,
    SerialMatch,
    SubjectMatch,
)
from tegata.registration.search import serial_prefix_match
from tegata.store.database import Database
from tegata.store.disk import DiskReserve
from tegata.store.instants import to_milliseconds
from tegata.store.issuance import fingerprint_number, searchable
from tegata.store.migrate import migrate_sqlite
from tegata.store.postgres import PostgresDatabase
from tegata.store.registration import EXAMINED_MAXIMUM, RegistrationReads
from tegata.store.schema import certificate, certificate_der, certificate_name, issuer, revocation
from tegata.store.search import text_after
from tegata.store.sqlite import SqliteDatabase
from tests.fakes.unit import FreeUnit
from tests.postgres import postgres_cluster

ONE, TWO = TenantId("ten_one"), TenantId("ten_two")
NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)
ISSUERS = {ONE: ("iss_a", "iss_b"), TWO: ("iss_c",)}
PROFILES = ("tls-client", "tls-server")
DOMAINS = (
    "example.test",
    "a.example.test",
    "a-b.example.test",
    "b.a.example.test",
    "x-example.test",
)
DNS, EMAIL, IP, URI = (GeneralNameKind(each) for each in ("dns", "email", "ip", "uri"))


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate that was put in."""

    tenant: TenantId
    id: CertificateId
    issuer: str
    serial: int
    profile: str
    subject: str
    not_after: datetime
    names: tuple[GeneralName, ...]
    fingerprint: str
    reason: int | None

    def is_in(self, state: CertificateState | None) -> bool:
        """The state, said in the words of the documentation."""
        match state:
            case None:
                return True
            case CertificateState.REVOKED:
                return self.reason not in (None, 6)
            case CertificateState.HELD:
                return self.reason == 6
            case CertificateState.EXPIRED:
                return self.not_after < NOW
            case CertificateState.VALID:
                return self.reason is None and self.not_after >= NOW


def made(tenant: TenantId, number: int) -> Made:
    """A certificate unlike its neighbours; expiries repeat, so that ids must decide."""
    not_after = NOW + timedelta(days=30 * (number % 9 - 2))
    month = expiry_month(not_after)
    octets = number.to_bytes(6, "big") + month.to_bytes(2, "big") + tenant.encode()[-3:] + bytes(5)
    random = hashlib.sha256(f"{tenant}{number}".encode()).digest()
    domain = DOMAINS[number % len(DOMAINS)]
    names = [GeneralName(DNS, domain)]
    if number % 3 == 0:
        names += [GeneralName(DNS, f"w.{domain}"), GeneralName(EMAIL, f"User{number}@{domain}")]
    if number % 4 == 0:
        names += [GeneralName(IP, f"192.0.2.{number}"), GeneralName(URI, f"urn:x:{number}")]
    return Made(
        tenant=tenant,
        id=encode_certificate_id(octets),
        issuer=ISSUERS[tenant][number % len(ISSUERS[tenant])],
        serial=int.from_bytes(b"\x01" + month.to_bytes(2, "big") + random[:16], "big"),
        profile=PROFILES[number % 7 == 0],
        subject=f"CN={domain}, O=署名{number % 2}",
        not_after=not_after,
        names=tuple(names),
        fingerprint=hashlib.sha256(_der(tenant, number)).hexdigest(),
        reason={0: 1, 1: 6, 2: 4}.get(number % 8),
    )


def _der(tenant: TenantId, number: int) -> bytes:
    return f"{tenant}{number}".encode()


def put(unit: FreeUnit, one: Made, number: int) -> None:
    """The rows of a certificate, as the platform writes them."""
    tenant, epoch = one.tenant, expiry_month(one.not_after)
    octets = number.to_bytes(6, "big") + epoch.to_bytes(2, "big") + tenant.encode()[-3:] + bytes(5)
    until = to_milliseconds(one.not_after)
    serial = one.serial.to_bytes(20, "big")
    unit.insert(
        certificate,
        tenant=tenant, id=octets, epoch=epoch, issuer=one.issuer, serial=serial,
        profile=one.profile, profile_version=1, subject=one.subject, not_before=0, not_after=until,
        shard=1, fingerprint=fingerprint_number(bytes.fromhex(one.fingerprint)),
    )  # fmt: skip
    for name in one.names:
        unit.insert(
            certificate_name, tenant=tenant, name=searchable(name), certificate=octets, epoch=epoch
        )
    der = _der(tenant, number)
    unit.insert(certificate_der, tenant=tenant, certificate=octets, epoch=epoch, der=der)
    if one.reason is not None:
        unit.insert(
            revocation,
            tenant=tenant, issuer=one.issuer, serial=serial, epoch=epoch, certificate=octets,
            revoked_at=1, reason=one.reason, entry=b"", listed_until=until,
            invalid_since=None, shard=1, change=number,
        )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    opened: Database
    if request.param == "sqlite":
        migrate_sqlite(tmp_path / "tegata.db")
        opened = SqliteDatabase(tmp_path / "tegata.db", DiskReserve(tmp_path, 0))
        yield opened
        await opened.close()
        return
    cluster = postgres_cluster()
    url = cluster.lend_database()
    opened = await PostgresDatabase.open(url)
    yield opened
    await opened.close()
    cluster.take_back_database(url)


class Reads(RegistrationReads):
    """The reads of one engine."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database

    async def found(self, tenant: TenantId, query: CertificateQuery) -> list[str]:
        """The ids on all pages of a query."""
        found: list[str] = []
        scope, after = platform_acts(tenant, "test"), query.after
        for _page in range(200):
            page = await self.list_certificates(scope, replace(query, after=after), NOW)
            assert len(page.entries) <= query.limit
            found += [entry.id for entry in page.entries]
            after = page.following
            if after is None:
                return found
        raise AssertionError("the pages do not end")


@pytest.fixture
async def filled(database: Database) -> tuple[Reads, Sequence[Made]]:
    everything = []
    for tenant in (ONE, TWO):
        unit = FreeUnit(database, tenant)
        for each in ISSUERS[tenant]:
            unit.insert(
                issuer, tenant=tenant, id=each, name=each, parent=None, signing_key="key",
                certificate=b"", created_at=0,
            )  # fmt: skip
        for number in range(60):
            one = made(tenant, number)
            put(unit, one, number)
            everything.append(one)
        # A void serial: revoked, and no certificate.
        unit.insert(
            revocation,
            tenant=tenant, issuer=ISSUERS[tenant][0], serial=bytes(20), epoch=318,
            certificate=None, revoked_at=1, reason=4, entry=b"",
            listed_until=to_milliseconds(NOW + timedelta(days=1)), invalid_since=None, shard=1,
            change=1,
        )  # fmt: skip
        await unit.commit()
    return Reads(database), everything


Meets = Callable[[Made], bool]
Asked = tuple[CertificateQuery, Meets]


def _named(one: Made, kind: GeneralNameKind, meets: Callable[[str], bool]) -> bool:
    return any(name.kind is kind and meets(name.value) for name in one.names)


def matches_of_octets() -> Iterator[Asked]:
    """Every match that is a range of octets."""
    yield CertificateQuery(), lambda one: True
    name = "a.example.test"
    yield (
        CertificateQuery(name=NameMatch(DNS, name)),
        lambda one: _named(one, DNS, lambda value: value == name),
    )
    yield CertificateQuery(name=NameMatch(DNS, "nobody.test")), lambda one: False
    for kind, beginning in ((EMAIL, "User1"), (IP, "192.0.2.1"), (URI, "urn:"), (URI, "urm")):

        def begins(one: Made, kind: GeneralNameKind = kind, beginning: str = beginning) -> bool:
            return _named(one, kind, lambda value: value.startswith(beginning))

        yield CertificateQuery(name=NameMatch(kind, beginning, prefix=True)), begins
    yield (
        CertificateQuery(name=NameMatch(EMAIL, "User3@b.a.example.test")),
        lambda one: _named(one, EMAIL, lambda value: value == "User3@b.a.example.test"),
    )
    subject = made(ONE, 4).subject
    yield CertificateQuery(subject=SubjectMatch(subject)), lambda one: one.subject == subject
    yield (
        CertificateQuery(subject=SubjectMatch("CN=a", prefix=True)),
        lambda one: one.subject.startswith("CN=a"),
    )
    one = made(ONE, 5)
    exact = SerialMatch(one.serial, one.serial)
    yield CertificateQuery(serial=exact), lambda other: other.serial == one.serial
    digits = f"{one.serial:038x}"
    for length in (3, 8, 11, 38):

        def serial_begins(other: Made, beginning: str = digits[:length]) -> bool:
            return f"{other.serial:038x}".startswith(beginning)

        yield CertificateQuery(serial=serial_prefix_match(digits[:length])), serial_begins
    for length in (1, 9, 16, 17, 64):

        def fingerprint_begins(other: Made, beginning: str = one.fingerprint[:length]) -> bool:
            return other.fingerprint.startswith(beginning)

        match = FingerprintMatch(one.fingerprint[:length])
        yield CertificateQuery(fingerprint=match), fingerprint_begins
    near = one.fingerprint[:20] + ("0" if one.fingerprint[20] != "0" else "1")
    yield CertificateQuery(fingerprint=FingerprintMatch(near)), lambda other: False


def bounds() -> Iterator[Asked]:
    """Every combination of the other bounds."""
    windows: list[tuple[datetime | None, datetime | None]] = [
        (None, None),
        (NOW, None),
        (None, NOW + timedelta(days=60)),
        (NOW - timedelta(days=60), NOW + timedelta(days=30, seconds=1)),
    ]
    for of in (None, "iss_a", "iss_c"):
        for profile in (None, *PROFILES, "none"):
            for state in (None, *CertificateState):
                for low, high in windows:
                    query = CertificateQuery(
                        issuer=IssuerId(of) if of else None, profile=profile, state=state,
                        expires_after=low, expires_before=high,
                    )  # fmt: skip

                    def meets(
                        one: Made,
                        of: str | None = of,
                        profile: str | None = profile,
                        state: CertificateState | None = state,
                        low: datetime | None = low,
                        high: datetime | None = high,
                    ) -> bool:
                        return (
                            of in (None, one.issuer)
                            and profile in (None, one.profile)
                            and one.is_in(state)
                            and (low is None or one.not_after >= low)
                            and (high is None or one.not_after < high)
                        )

                    yield query, meets


async def require_found(
    reads: Reads, everything: Sequence[Made], query: CertificateQuery, meets: Meets
) -> int:
    """All that meets a query is found, once each, and nothing else."""
    wanted = sorted(one.id for one in everything if one.tenant == ONE and meets(one))
    found = await reads.found(ONE, query)
    assert sorted(found) == wanted, query
    return len(wanted)


async def test_every_match_finds_what_reading_everything_finds(
    filled: tuple[Reads, Sequence[Made]],
) -> None:
    total = 0
    for query, meets in matches_of_octets():
        for limit in (2, 50):
            total += await require_found(*filled, replace(query, limit=limit), meets)
    assert total > 200


async def test_every_combination_of_bounds_finds_what_reading_everything_finds(
    filled: tuple[Reads, Sequence[Made]],
) -> None:
    total = 0
    for number, (query, meets) in enumerate(bounds()):
        total += await require_found(*filled, replace(query, limit=(3, 60)[number % 2]), meets)
    assert total > 500


async def test_a_match_combines_with_every_bound(filled: tuple[Reads, Sequence[Made]]) -> None:
    subject = SubjectMatch("CN=a", prefix=True)
    total = 0
    for query, meets in list(bounds())[::7]:
        asked = replace(query, subject=subject, limit=4)

        def both(one: Made, meets: Meets = meets) -> bool:
            return one.subject.startswith("CN=a") and meets(one)

        total += await require_found(*filled, asked, both)
    assert total > 30


async def test_a_subtree_is_the_name_and_what_is_below_it_once_for_each_name(
    filled: tuple[Reads, Sequence[Made]],
) -> None:
    reads, everything = filled
    query = CertificateQuery(name=NameMatch(DNS, "a.example.test", prefix=True), limit=2)
    wanted = sorted(
        one.id
        for one in everything
        for name in one.names
        if one.tenant == ONE and name.kind is DNS
        and (name.value == "a.example.test" or name.value.endswith(".a.example.test"))
    )  # fmt: skip
    assert len(wanted) > len(set(wanted))
    assert sorted(await reads.found(ONE, query)) == wanted


async def test_lists_stand_in_the_order_of_what_is_searched_by(
    filled: tuple[Reads, Sequence[Made]],
) -> None:
    reads, everything = filled
    known = {one.id: one for one in everything}

    async def listed(query: CertificateQuery) -> list[Made]:
        return [
            known[CertificateId(each)] for each in await reads.found(ONE, replace(query, limit=7))
        ]

    ids = [one.id for one in await listed(CertificateQuery())]
    assert ids == sorted(ids, reverse=True)
    coming = [one.not_after for one in await listed(CertificateQuery(expires_after=NOW))]
    assert coming == sorted(coming)
    for past in (
        CertificateQuery(state=CertificateState.EXPIRED),
        CertificateQuery(state=CertificateState.REVOKED),
        CertificateQuery(issuer=IssuerId("iss_a")),
    ):
        ends = [one.not_after for one in await listed(past)]
        assert ends == sorted(ends, reverse=True)
    subjects = [
        one.subject
        for one in await listed(CertificateQuery(subject=SubjectMatch("C", prefix=True)))
    ]
    assert subjects == sorted(subjects)
    assert len(subjects) == 60


async def test_only_visible_issuers_are_listed(filled: tuple[Reads, Sequence[Made]]) -> None:
    query = CertificateQuery(visible=frozenset({IssuerId("iss_b")}), limit=4)
    assert await require_found(*filled, query, lambda one: one.issuer == "iss_b") == 30


async def test_a_cursor_fits_its_own_query_only(filled: tuple[Reads, Sequence[Made]]) -> None:
    reads, _everything = filled
    scope = platform_acts(ONE, "test")
    query = CertificateQuery(profile="tls-client", limit=3)
    page = await reads.list_certificates(scope, query, NOW)
    assert page.following is not None
    other = replace(query, after=page.following, limit=5, visible=frozenset())
    assert (await reads.list_certificates(scope, other, NOW)).entries == () or True
    damaged = page.following[:-2] + ("AA" if page.following[-2:] != "AA" else "BB")
    for wrong in (
        replace(query, profile="tls-server", after=page.following),
        replace(query, state=CertificateState.VALID, after=page.following),
        replace(query, after=damaged[:10]),
        replace(query, after=""),
        replace(query, after="é"),
    ):
        with pytest.raises(Problem) as refused:
            await reads.list_certificates(scope, wrong, NOW)
        assert refused.value.code is ProblemCode.REQUEST_MALFORMED


async def test_only_so_many_certificates_are_looked_at_for_one_page(database: Database) -> None:
    reads = Reads(database)
    total = EXAMINED_MAXIMUM + 600
    numbers = count()
    for _ in range(total // 200):
        unit = FreeUnit(database, ONE)
        for _each in range(200):
            number = next(numbers)
            put(
                unit,
                replace(made(ONE, number), profile="rare" if number == 0 else "common"),
                number,
            )
        await unit.commit()
    query = CertificateQuery(profile="rare", subject=SubjectMatch("CN", prefix=True), limit=10)
    scope = platform_acts(ONE, "test")
    page = await reads.list_certificates(scope, replace(query, profile="none"), NOW)
    assert (page.entries, page.following is None) == ([], False)
    assert await reads.found(ONE, query) == [made(ONE, 0).id]


@pytest.mark.parametrize("prefix", ["a", "a\ud7ff", "a\U0010ffff", "署"])
def test_what_follows_a_prefix_follows_all_that_begins_so(prefix: str) -> None:
    after = text_after(prefix).encode()
    assert prefix.encode() < (prefix + "\U0010ffff").encode() < after
