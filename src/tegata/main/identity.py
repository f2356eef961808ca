"""Identity verification, wired: which gateway to J-LIS there is, and what may be trusted."""

from __future__ import annotations

from tegata.identity.attributes import AttributeService
from tegata.identity.consents import ConsentService
from tegata.identity.current import CurrentStatusService
from tegata.identity.ports import JLisGateway
from tegata.identity.purposes import PurposeService
from tegata.identity.records import RecordService
from tegata.identity.service import IdentityService
from tegata.identity.services import IdentityServices
from tegata.identity.status import StatusSource
from tegata.identity.trust import PinnedTrust
from tegata.identity.users import UserService
from tegata.identity.verification import Verification
from tegata.identity.watch import WatchService
from tegata.kernel.ports import Clock, Randomness
from tegata.main.settings import Settings
from tegata.outbound.webhook import HttpsWebhooks
from tegata.sandbox.gateway import SandboxGateway
from tegata.sandbox.personas import Sandbox
from tegata.store.store import Store


def compose_identity(
    settings: Settings, store: Store, clock: Clock, randomness: Randomness
) -> IdentityServices:
    """The use cases of identity verification; without a gateway no session can be decided."""
    gateway = _gateway(settings, clock)
    verification, users, pinned, statuses = None, None, None, None
    if gateway is not None:
        # Simulated roots are trusted by a demo and by nothing else; it trusts no others.
        pinned = PinnedTrust(gateway, simulated=settings.demo)
        statuses = StatusSource(gateway, clock, randomness)
        verification = Verification(pinned, statuses, clock)
        users = UserService(store, gateway, clock)
    current = CurrentStatusService(store, pinned, statuses, clock)
    webhooks = HttpsWebhooks(loopback=settings.loopback_webhooks)
    return IdentityServices(
        sessions=IdentityService(store, verification, users, clock, randomness),
        purposes=PurposeService(store, clock),
        records=RecordService(store, clock),
        attributes=AttributeService(store, clock),
        current=current,
        consents=ConsentService(store, gateway, clock, randomness),
        watches=WatchService(store, current, webhooks, clock, randomness),
    )


def _gateway(settings: Settings, clock: Clock) -> JLisGateway | None:
    if settings.demo:
        return SandboxGateway(Sandbox(settings.data / "sandbox", clock), clock)
    # A production adapter comes here (docs/reference/jlis-gateway.md).
    return None
