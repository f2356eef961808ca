"""Pages of tenants, tokens and issuers, on each engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tegata.issuance.model import PendingAuthority
from tegata.kernel.ids import IssuerId, KeyId, TenantId, TokenId
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.store.database import Database
from tegata.store.store import Store
from tegata.tenancy.model import Action, Tenant, TenantState, Token, TokenKind
from tests.issuance.drafts import an_issuer
from tests.ports.test_authority_contract import a_node

NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
OPERATOR = platform_acts(PLATFORM_TENANT, "test")
TANUKI, KITSUNE = (platform_acts(TenantId(f"ten_{name}"), "test") for name in ("tanuki", "kitsune"))
NUMBERS = range(7)
PAGE = 3


async def pages(read: Callable[[str, int], Awaitable[Sequence[str]]]) -> list[list[str]]:
    """All pages, each begun after the last id of the one before."""
    found: list[list[str]] = []
    while True:
        page = list(await read(found[-1][-1] if found else "", PAGE))
        if not page:
            return found
        found.append(page)


def in_threes(identifiers: list[str]) -> list[list[str]]:
    ordered = sorted(identifiers)
    return [ordered[place : place + PAGE] for place in range(0, len(ordered), PAGE)]


async def open_tenants(store: Store, *scopes: TenantScope) -> None:
    for scope in scopes:
        async with store.open_unit(scope) as unit:
            unit.add_tenant(Tenant(scope.tenant, scope.tenant, TenantState.ACTIVE, NOW))
            await unit.commit()


async def test_pages_of_tenants_are_the_operators_and_a_tenants_own(database: Database) -> None:
    store = a_node(database)
    every = [platform_acts(TenantId(f"ten_{number}"), "test") for number in NUMBERS]
    await open_tenants(store, OPERATOR, *every)

    def read(scope: TenantScope) -> Callable[[str, int], Awaitable[Sequence[str]]]:
        async def ids(after: str, limit: int) -> Sequence[str]:
            return [each.id for each in await store.tenants_after(scope, after, limit)]

        return ids

    assert await pages(read(OPERATOR)) == in_threes(
        [PLATFORM_TENANT, *(each.tenant for each in every)]
    )
    assert await pages(read(every[4])) == [[every[4].tenant]]


async def test_pages_of_tokens_are_one_tenants(database: Database) -> None:
    store = a_node(database)
    for scope in (TANUKI, KITSUNE):
        async with store.open_unit(scope) as unit:
            for number in reversed(NUMBERS):
                unit.add_token(
                    Token(
                        TokenId(f"tok_{scope.tenant}_{number}"), scope.tenant, "a token",
                        TokenKind.TENANT, bytes(32), None, frozenset({Action.EVENTS_READ}), NOW,
                        None,
                    )
                )  # fmt: skip
            await unit.commit()

    async def ids(after: str, limit: int) -> Sequence[str]:
        return [each.id for each in await store.tokens_after(TANUKI, after, limit)]

    assert await pages(ids) == in_threes([f"tok_ten_tanuki_{number}" for number in NUMBERS])


async def test_pages_of_issuers_hold_those_that_wait_among_the_others(database: Database) -> None:
    store = a_node(database)
    async with store.open_unit(TANUKI) as unit:
        for number in NUMBERS:
            issuer = an_issuer()
            key = replace(issuer.key, id=KeyId(f"key_{number}"))
            identifier = IssuerId(f"iss_{number}")
            unit.add_signing_key(key, NOW)
            if number % 2:
                unit.add_pending_issuer(
                    PendingAuthority(identifier, f"CA {number}", key, b"0\0", b"csr", None), NOW
                )
            else:
                unit.add_issuer(replace(issuer, id=identifier, key=key), NOW)
        await unit.commit()

    async def ids(after: str, limit: int) -> Sequence[str]:
        return list(await store.issuer_ids_after(TANUKI, after, limit))

    assert await pages(ids) == in_threes([f"iss_{number}" for number in NUMBERS])
    assert await store.issuer_ids_after(KITSUNE, "", PAGE) == []
