"""What a life does while it waits to be killed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tegata.issuance.model import IssuedCertificate
from tegata.issuance.reserve import FIRST_BLOCK
from tegata.kernel.ids import IssuerId, TenantId
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import KeyPurpose
from tegata.main.bootstrap import DEMO_TENANT
from tegata.main.composition import Platform
from tests.crash.ledger import Ledger
from tests.journeys.requests import make_csr

NONE = bytes(32)
DEMO: TenantScope = platform_acts(DEMO_TENANT, "test")
OPERATOR: TenantScope = platform_acts(PLATFORM_TENANT, "test")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks the platform for things, and writes down what was promised."""

    platform: Platform
    ledger: Ledger
    tag: str
    issuer: IssuerId

    async def issue(
        self, name: str, key: str | None = None, csr: str | None = None
    ) -> IssuedCertificate:
        """A certificate."""
        issued, _issuer = await self.platform.enrolment.request_certificate(
            DEMO, self.issuer, "tls-server", csr or make_csr(name), NONE, key
        )
        self.ledger.acknowledge("issued", id=issued.id, der=issued.der.hex())
        return issued

    async def revoke(self, certificate: IssuedCertificate) -> None:
        """A revocation."""
        await self.platform.revocation.revoke(DEMO, certificate.id, "superseded", NONE)
        self.ledger.acknowledge("revoked", id=certificate.id)

    async def publish(self) -> int:
        """A CRL's number."""
        crl = await self.platform.crls.publish(DEMO, self.issuer)
        self.ledger.acknowledge("published", number=crl.number, issuer=self.issuer)
        return crl.number

    async def publish_all(self) -> int:
        """The number of a CRL that follows a shard's lists and a delta."""
        await self.platform.crls.publish(DEMO, self.issuer, 1)
        await self.platform.crls.publish_delta(DEMO, self.issuer)
        # Last, so that the last point of a name stands between its commit and its telling.
        return await self.publish()

    async def hold_and_release(self, certificate: IssuedCertificate) -> None:
        """A hold that is taken back."""
        await self.platform.revocation.revoke(DEMO, certificate.id, "certificateHold", NONE)
        self.ledger.acknowledge("held", id=certificate.id)
        await self.platform.revocation.release(DEMO, certificate.id, NONE)
        self.ledger.acknowledge("released", id=certificate.id)


async def demo_issuer(platform: Platform) -> IssuerId:
    """The demo tenant's issuing CA."""
    issuers = await platform.store.list_issuers(DEMO)
    # The first: scenarios make others.
    return next(each.id for each in issuers if each.key.purpose is KeyPurpose.ISSUING_CA)


Act = Callable[[], Awaitable[object]]
# Prepares with the second actor, of whom the first one's platform knows nothing yet, and returns
# what is then done under the gate.
Scenario = Callable[[Actor, Actor], Awaitable[Act]]


async def issue(actor: Actor, before: Actor) -> Act:
    name = f"{actor.tag}.example.test"
    actor.ledger.intend("issue", name=name)
    return lambda: actor.issue(name)


async def issue_with_key(actor: Actor, before: Actor) -> Act:
    name = f"{actor.tag}.example.test"
    csr = make_csr(name)
    actor.ledger.intend("issue-with-key", name=name, csr=csr, key=actor.tag)
    return lambda: actor.issue(name, actor.tag, csr)


async def revoke(actor: Actor, before: Actor) -> Act:
    issued = await before.issue(f"{actor.tag}.example.test")
    actor.ledger.intend("revoke", id=issued.id)
    return lambda: actor.revoke(issued)


async def publish(actor: Actor, before: Actor) -> Act:
    await before.revoke(await before.issue(f"{actor.tag}.example.test"))
    actor.ledger.intend("publish")
    return actor.publish_all


async def release(actor: Actor, before: Actor) -> Act:
    issued = await before.issue(f"{actor.tag}.example.test")
    actor.ledger.intend("release", id=issued.id)
    return lambda: actor.hold_and_release(issued)


async def exhaust(actor: Actor, before: Actor) -> Act:
    for number in range(FIRST_BLOCK - 1):
        await actor.issue(f"{number}.{actor.tag}.example.test")
    actor.ledger.intend("exhaust")

    async def act() -> None:
        # The block's last serial, the first of the next block, and one more.
        for number in range(3):
            await actor.issue(f"over-{number}.{actor.tag}.example.test")

    return act


async def open_tenant(actor: Actor, before: Actor) -> Act:
    tenant = TenantId(f"ten_{actor.tag.replace('-', '')}")
    actor.ledger.intend("open-tenant", tenant=tenant, name=actor.tag)

    async def act() -> None:
        await actor.platform.tenants.open_tenant(OPERATOR, actor.tag, NONE, tenant)
        actor.ledger.acknowledge("opened", tenant=tenant)

    return act
