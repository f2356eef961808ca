"""A file with one row, worked on over crashes: more would be done side by side, and a kill could
not be put between the same two steps again."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

from tegata.kernel.ids import CertificateId
from tegata.kernel.scope import Actor as Sender
from tegata.kernel.scope import ActorKind, TenantScope
from tegata.main.composition import Platform
from tegata.pkix.names import GeneralNameKind
from tegata.registration.bulk_model import BulkAct, BulkId, BulkOrder, BulkState
from tegata.registration.model import CertificateQuery, NameMatch
from tests.crash.ledger import Line
from tests.crash.scenarios import DEMO, NONE, Act, Actor
from tests.journeys.requests import make_csr


async def bulk(actor: Actor, before: Actor) -> Act:
    platform, name = before.platform, f"{actor.tag}.example.test"
    token, _text = await platform.tokens.create(DEMO, actor.tag, request_digest=NONE)
    scope = TenantScope(DEMO.tenant, Sender(ActorKind.TOKEN, token.id))
    target = io.StringIO(newline="")
    csv.writer(target).writerows([("reference", "csr"), ("first", make_csr(name))])

    async def parts() -> AsyncIterator[bytes]:
        yield target.getvalue().encode()

    order = BulkOrder(BulkAct.ISSUE, actor.issuer, "tls-server")
    file = await platform.bulk.receive(scope, order, parts(), "")
    actor.ledger.intend("bulk", id=file.id, token=token.id, name=name)

    async def act() -> None:
        await actor.platform.bulk_work.run(DEMO, file.id)
        await _tell(actor, file.id)

    return act


async def _tell(actor: Actor, identifier: BulkId) -> None:
    for certificate in await _done(actor.platform, identifier):
        actor.ledger.acknowledge("row", id=certificate)


async def _done(platform: Platform, identifier: BulkId) -> list[CertificateId]:
    """The certificates that the file's outcomes name."""
    outcomes = await platform.store.bulk_outcomes(DEMO, identifier, 0, 10)
    assert [each.code for each in outcomes] == [""] * len(outcomes)
    return [each.certificate for each in outcomes if each.certificate is not None]


async def require_file(actor: Actor, intent: Line) -> bool:
    """The file is done when it is worked on again, its row once, and what its outcome names is
    the only certificate.

    Whether the row was done and nobody had been told.
    """
    platform, identifier = actor.platform, BulkId(intent["id"])
    told = {line["id"] for line in actor.ledger.acknowledged("row")}
    found = await _issued(platform, intent["name"])
    # The certificate and its outcome stand in one transaction.
    assert await _done(platform, identifier) == found
    await platform.bulk_work.run(DEMO, identifier)
    file = await platform.store.get_bulk(DEMO, identifier)
    assert (file.state, file.succeeded, file.refused) == (BulkState.DONE, 1, 0)
    done = await _done(platform, identifier)
    assert len(done) == 1
    assert await _issued(platform, intent["name"]) == done
    assert done[: len(found)] == found
    return bool(found) and found[0] not in told


async def _issued(platform: Platform, name: str) -> list[CertificateId]:
    query = CertificateQuery(name=NameMatch(GeneralNameKind.DNS, name))
    page = await platform.enrolment.search(DEMO, query)
    return [each.id for each in page.entries]
