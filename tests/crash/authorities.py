"""Making a CA, its next generation, and installing what another CA made of it, over crashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, select

from tegata.issuance.authorities import AuthorityService
from tegata.issuance.model import Issuer, NewAuthority, PendingAuthority
from tegata.kernel.ids import IssuerId
from tegata.kernel.signing import KeyPurpose
from tegata.main.composition import Platform
from tegata.pkix import oids
from tegata.pkix.names import encode_name
from tegata.revocation.model import CrlKind
from tegata.store.schema import crl, responder
from tegata.store.statement import Statement
from tests.crash.ledger import Line
from tests.crash.scenarios import DEMO, NONE, Act, Actor
from tests.issuance.test_authorities import Elsewhere

_CRLS = Statement(
    select(crl.c.shard, crl.c.kind).where(
        crl.c.tenant == bindparam("tenant"), crl.c.issuer == bindparam("issuer")
    )
)
_RESPONDERS = Statement(
    select(responder.c.issuer).where(
        responder.c.tenant == bindparam("tenant"), responder.c.issuer == bindparam("issuer")
    )
)


def _authority(name: str) -> NewAuthority:
    return NewAuthority(name, KeyPurpose.ISSUING_CA, encode_name([(oids.COMMON_NAME, name)]))


async def _root(platform: Platform) -> IssuerId:
    """The demo tenant's root."""
    every = await platform.store.list_issuers(DEMO)
    return next(each.id for each in every if each.key.purpose is KeyPurpose.ROOT_CA)


async def create_ca(actor: Actor, before: Actor) -> Act:
    actor.ledger.intend("create-ca", name=actor.tag)

    async def act() -> None:
        created = await actor.platform.authorities.create(
            DEMO, await _root(before.platform), _authority(actor.tag), NONE
        )
        actor.ledger.acknowledge("ca", id=created.id)

    return act


async def rekey_ca(actor: Actor, before: Actor) -> Act:
    old = await before.platform.authorities.create(
        DEMO, await _root(before.platform), _authority(actor.tag), NONE
    )
    actor.ledger.intend("rekey-ca", name=actor.tag, old=old.id)

    async def act() -> None:
        new = await actor.platform.authorities.rekey(DEMO, old.id, NONE)
        actor.ledger.acknowledge("ca", id=new.id)

    return act


async def install_ca(actor: Actor, before: Actor) -> Act:
    chain = await _certified(before.platform.authorities, actor)
    installed = [each.hex() for each in chain]
    actor.ledger.intend("install-ca", name=actor.tag, chain=installed)

    async def act() -> None:
        pending = await _pending(actor.platform, actor.tag)
        assert pending is not None
        born = await actor.platform.authorities.install(DEMO, pending.id, chain, NONE)
        actor.ledger.acknowledge("ca", id=born.id)

    return act


async def _certified(authorities: AuthorityService, actor: Actor) -> Sequence[bytes]:
    """What another CA makes of a request."""
    pending = await authorities.request(DEMO, _authority(actor.tag), NONE)
    elsewhere = Elsewhere(now=actor.platform.clock.now())
    return elsewhere.certify(pending), elsewhere.der


async def _pending(platform: Platform, name: str) -> PendingAuthority | None:
    every = await platform.store.list_pending_issuers(DEMO)
    return next((each for each in every if each.name == name), None)


async def _named(platform: Platform, name: str) -> list[Issuer]:
    return [each for each in await platform.store.list_issuers(DEMO) if each.name == name]


async def require_authority(actor: Actor, intent: Line) -> bool:
    """What was begun with a CA is done, or can be asked for again, and then is there once.

    Whether it was there and nobody had been told.
    """
    platform, name = actor.platform, intent["name"]
    told = {line["id"] for line in actor.ledger.acknowledged("ca")}
    await platform.authorities.refresh()
    final = f"{name} #2" if intent["scenario"] == "rekey-ca" else name
    found = await _named(platform, final)
    assert len(found) <= 1
    untold = bool(found) and found[0].id not in told
    asked = await _ask_again(platform, intent, found)
    assert isinstance(asked, Issuer)
    assert [each.id for each in await _named(platform, final)] == [asked.id]
    assert await _pending(platform, name) is None
    assert platform.authorities.state(asked) == "active"
    if asked.predecessor is not None:
        old = await platform.store.get_issuer(DEMO, asked.predecessor)
        assert (old.id, platform.authorities.state(old)) == (intent["old"], "retired")
    await _require_whole(platform, asked.id)
    # It issues, and its certificates lead to it.
    issued = await replace(actor, issuer=asked.id).issue(f"{actor.tag}.below.example.test")
    assert issued.issuer == asked.id
    return untold


async def _ask_again(
    platform: Platform, intent: Line, found: list[Issuer]
) -> Issuer | PendingAuthority:
    authorities = platform.authorities
    match intent["scenario"]:
        case "create-ca":
            root = await _root(platform)
            return await authorities.create(DEMO, root, _authority(intent["name"]), NONE)
        case "rekey-ca":
            return await authorities.rekey(DEMO, IssuerId(intent["old"]), NONE)
    waiting = await _pending(platform, intent["name"])
    # Exactly one of the two is there, whatever crashed.
    assert (waiting is None) == bool(found)
    identifier = waiting.id if waiting is not None else found[0].id
    chain = [bytes.fromhex(each) for each in intent["chain"]]
    return await authorities.install(DEMO, identifier, chain, NONE)


async def _require_whole(platform: Platform, issuer: IssuerId) -> None:
    parameters = {"issuer": issuer}
    responders = await platform.database.fetch(DEMO.tenant, _RESPONDERS, parameters)
    assert len(responders) == 1
    rows = await platform.database.fetch(DEMO.tenant, _CRLS, parameters)
    assert sorted(tuple(row) for row in rows) == [
        (shard, kind) for shard in (0, 1) for kind in sorted(CrlKind)
    ]
