"""Stops, pending issuers and policies on both engines; a stop reaches another node."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tegata.issuance.authorities import issuer_stop, platform_stop, tenant_stop
from tegata.issuance.gate import IssuanceGate
from tegata.issuance.model import (
    LinkKind,
    PendingAuthority,
    PolicyDocument,
    Stop,
    StopCause,
)
from tegata.kernel.ids import IssuerId, KeyId, TenantId
from tegata.kernel.negative import ActKind
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import (
    DataKeyKind,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    SigningKey,
    TenantSecret,
)
from tegata.pkix.name_constraints import constraint_base
from tegata.pkix.policy_extensions import CertificatePolicy, NameConstraints
from tegata.profiles.authority import AuthorityBounds
from tegata.store.database import Database
from tegata.store.negative import stop_act, stop_from
from tegata.store.replay import REPLAYS, RecoveringStore
from tests.fakes.journal import FakeJournal
from tests.fakes.system import CountingRandomness, FakeClock, PlainSealer
from tests.issuance.drafts import an_issuer
from tests.pkix.keys import public_key

NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
TANUKI = platform_acts(TenantId("ten_tanuki"), "test")
KITSUNE = platform_acts(TenantId("ten_kitsune"), "test")
OPERATOR = platform_acts(PLATFORM_TENANT, "test")
ISSUER = IssuerId("iss_issuing")


class _Keys:
    async def sealer(self, tenant: TenantId, kind: DataKeyKind) -> TenantSecret:
        return PlainSealer()


def a_node(database: Database) -> RecoveringStore:
    clock, randomness = FakeClock(NOW), CountingRandomness("authorities")
    return RecoveringStore(
        database, _Keys(), clock, randomness, "http://a.test", lambda *_each: None, FakeJournal()
    )


async def put(
    store: RecoveringStore, scope: TenantScope, stop: Stop, *, lift: bool = False
) -> None:
    async with store.open_unit(scope, essential=True) as unit:
        if lift:
            unit.remove_stop(stop)
        else:
            unit.add_stop(replace(stop, since=NOW))
        await unit.commit()


@pytest.mark.parametrize("kind", ["issuer", "tenant", "operator's", "platform"])
async def test_a_stop_on_one_node_is_a_stop_on_the_other(database: Database, kind: str) -> None:
    scope, stop = {
        "issuer": (TANUKI, issuer_stop(TANUKI, ISSUER)),
        "tenant": (TANUKI, tenant_stop(TANUKI, TANUKI.tenant)),
        "operator's": (OPERATOR, tenant_stop(OPERATOR, TANUKI.tenant)),
        "platform": (OPERATOR, platform_stop()),
    }[kind]
    one, other, gate = a_node(database), a_node(database), IssuanceGate()
    await put(one, scope, stop)
    gate.replace(await other.list_stops())
    with pytest.raises(Problem) as caught:
        gate.require_open(an_issuer(), NOW)
    assert caught.value.code is ProblemCode.ISSUANCE_STOPPED
    await put(one, scope, stop, lift=True)
    gate.replace(await other.list_stops())
    gate.require_open(an_issuer(), NOW)


async def test_nobody_takes_back_what_another_has_stopped(database: Database) -> None:
    store = a_node(database)
    theirs = tenant_stop(OPERATOR, TANUKI.tenant)
    await put(store, OPERATOR, theirs)
    with pytest.raises(Problem) as caught:
        await put(store, TANUKI, theirs, lift=True)
    assert caught.value.code is ProblemCode.CONFLICT
    with pytest.raises(Problem) as caught:
        await put(store, TANUKI, theirs)
    assert caught.value.code is ProblemCode.AUTHORIZATION_DENIED
    assert [each.owner for each in await store.list_stops()] == [PLATFORM_TENANT]


@pytest.mark.parametrize("cause", list(StopCause))
async def test_a_stop_is_done_again_on_a_database_that_lacks_it(
    database: Database, cause: StopCause
) -> None:
    store = a_node(database)
    stop = replace(issuer_stop(TANUKI, ISSUER, cause), since=NOW)
    act = stop_act(stop, lifted=False)
    assert (act.kind, act.lifts, stop_from(act)) == (ActKind.ISSUANCE_STOPPED, False, stop)
    effect = await REPLAYS[act.kind](store, TANUKI, act)
    assert effect is not None
    async with store.open_unit(TANUKI) as unit:
        effect(unit)
        await unit.commit()
    assert list(await store.list_stops()) == [stop]
    assert await REPLAYS[act.kind](store, TANUKI, act) is None
    lifted = stop_act(stop, lifted=True)
    assert lifted.lifts
    effect = await REPLAYS[lifted.kind](store, TANUKI, lifted)
    assert effect is not None
    async with store.open_unit(TANUKI) as unit:
        effect(unit)
        await unit.commit()
    assert await store.list_stops() == []
    assert await REPLAYS[lifted.kind](store, TANUKI, lifted) is None


def a_pending() -> PendingAuthority:
    key = SigningKey(
        KeyId("key_1"), TANUKI.tenant, KeyPurpose.ISSUING_CA, KeyAlgorithm.P256,
        SignatureAlgorithm.ECDSA_SHA256, public_key("issuing"), b"sealed",
    )  # fmt: skip
    bounds = AuthorityBounds(
        0,
        NameConstraints((constraint_base("dns", "example.jp"),)),
        (CertificatePolicy("1.2.3", "http://a.test/cps"),),
        (NameConstraints((), (constraint_base("ip", "192.0.2.0/24"),)),),
    )
    return PendingAuthority(ISSUER, "Pending", key, b"0\0", b"csr", bounds, IssuerId("iss_old"))


async def test_a_pending_issuer_is_its_tenants_until_it_is_removed(database: Database) -> None:
    store, pending = a_node(database), a_pending()
    async with store.open_unit(TANUKI) as unit:
        unit.add_signing_key(pending.key, NOW)
        unit.add_pending_issuer(pending, NOW)
        await unit.commit()
    assert await store.find_pending_issuer(TANUKI, ISSUER) == pending
    assert await store.find_pending_issuer(KITSUNE, ISSUER) is None
    assert await store.list_pending_issuers(KITSUNE) == []
    for code in (None, ProblemCode.CONFLICT):
        async with store.open_unit(TANUKI) as unit:
            unit.remove_pending_issuer(ISSUER)
            if code is None:
                await unit.commit()
                continue
            with pytest.raises(Problem) as caught:
                await unit.commit()
            assert caught.value.code is code
    assert await store.list_pending_issuers(TANUKI) == []


async def test_certificates_and_policies_of_an_issuer_are_its_tenants(database: Database) -> None:
    store = a_node(database)
    policy = PolicyDocument(ISSUER, 1, "CPS", "ja", "text/plain", "規程", NOW)
    async with store.open_unit(TANUKI) as unit:
        unit.add_issuer_certificate(ISSUER, LinkKind.ABOVE, 1, b"root")
        unit.add_issuer_certificate(ISSUER, LinkKind.ABOVE, 0, b"middle")
        unit.add_issuer_certificate(ISSUER, LinkKind.OLD_WITH_NEW, 0, b"link")
        unit.add_policy(policy)
        unit.add_policy(replace(policy, version=2))
        await unit.commit()
    assert await store.certificates_above(TANUKI, ISSUER) == (b"middle", b"root")
    assert (LinkKind.OLD_WITH_NEW, b"link") in await store.list_issuer_certificates(TANUKI, ISSUER)
    assert [each.version for each in await store.list_policies(TANUKI, ISSUER, None, 9)] == [2, 1]
    assert list(await store.list_policies(TANUKI, ISSUER, 1, 9)) == [policy]
    assert await store.newest_policy(TANUKI, ISSUER) == 2
    assert await store.newest_policy(KITSUNE, ISSUER) == 0
    assert await store.list_issuer_certificates(KITSUNE, ISSUER) == []
