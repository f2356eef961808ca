"""One run of the whole platform in one process (beside the signer process)."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tegata.compliance.proofs import ProofService
from tegata.issuance.repository import RepositoryService
from tegata.kernel.plain_listeners import plain_route
from tegata.kernel.problem import Problem, ProblemCode
from tegata.main.anchors import open_anchors
from tegata.main.backup import DataLock
from tegata.main.bootstrap import ApiTls, Demo, ensure_demo, ensure_platform
from tegata.main.clock_watch import ClockWatch
from tegata.main.composition import Platform, compose
from tegata.main.crl_watch import CrlWatch
from tegata.main.listener import Listener, bind
from tegata.main.log import LogRun, open_log, require_log
from tegata.main.monitoring import open_monitoring
from tegata.main.orphans import report_orphans
from tegata.main.restore import RestoreWatch, note_blocks, recover, replace_stale_lists
from tegata.main.settings import Address, Settings, SettingsError, require_safe
from tegata.main.signer_supervisor import SignerSupervisor
from tegata.main.worker import StatusWatch, Upkeep, Worker
from tegata.protocols.crl.endpoints import CrlDoor
from tegata.protocols.http import Application, PlainApplication, Prepared, Request, Response
from tegata.protocols.ocsp.endpoints import OcspDoor
from tegata.protocols.repository.endpoints import RepositoryDoor
from tegata.protocols.rest.application import RestApplication
from tegata.protocols.rest.log import log_keys
from tegata.protocols.rest.operation import Services
from tegata.protocols.tlog.anchors import AnchorDoor
from tegata.protocols.tlog.endpoints import TlogDoor
from tegata.protocols.trust.endpoints import TrustDoor
from tegata.protocols.tsp.endpoints import TspDoor
from tegata.store.key_list import KeyListError
from tegata.store.migrate import migrate_postgres
from tegata.timestamping.anchoring import AnchorService
from tegata.transparency.service import LogService

_LOG = logging.getLogger(__name__)
# File descriptors that are not connections: database, logs, signer, libraries.
_DESCRIPTORS_KEPT = 512

Context = Mapping[str, str | bool]
Ready = Callable[[Context], None]


async def serve(settings: Settings, ready: Ready | None = None) -> None:
    """Run until SIGTERM or SIGINT; then finish what is under way.

    When it answers, `ready` is told; by default one JSON line says so on standard output.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_safe(settings)
    lock = DataLock(settings.data)
    stop = _asked_to_stop()
    sockets = Sockets.open(settings)
    signer = SignerSupervisor(settings)
    await signer.start()
    platform = await compose(settings, sockets.public_url, signer.socket)
    await require_log(platform, settings)
    await _settle(platform, settings, stop)
    own = await ensure_platform(platform, settings.data)
    tls = ApiTls(platform, own, settings.data, sockets.api)
    await tls.ensure()
    await _load_key_list(platform)
    await report_orphans(platform)
    demo = await ensure_demo(platform, settings.data) if settings.demo else None
    log = await open_log(platform, settings, sockets.public_url)
    anchors = await open_anchors(platform, settings, log.service)
    listeners = _listeners(platform, settings, sockets, tls.context, log.service, anchors.service)
    monitoring = await open_monitoring(platform, settings)
    worker = Worker(platform, _upkeep(platform, settings, tls), anchors.turn, monitoring.measures)
    restore = RestoreWatch(platform, stop)
    crls = CrlWatch(platform, sockets.public_url, settings.data)
    watches = StatusWatch(platform), restore, crls, ClockWatch(platform)
    for listener in listeners:
        await listener.start()
    worker.start()
    for watch in (*watches, log):
        await watch.start()
    context = _write_context(settings.data, _context(settings.data, sockets, demo, log.service))
    await monitoring.start()
    (ready or _announce)(context)
    try:
        await stop.wait()
        _LOG.info("stopping")
        restore.require_same_database()
    finally:
        await monitoring.stop()
        await asyncio.gather(*(listener.stop() for listener in listeners))
        await asyncio.gather(worker.stop(), *(watch.stop() for watch in watches))
        anchors.close()
        await _close(platform, settings, log, served=not restore.refused)
        await signer.stop()
        lock.release()


def _asked_to_stop() -> asyncio.Event:
    """What is set when the process is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _close(platform: Platform, settings: Settings, log: LogRun, *, served: bool) -> None:
    """End what the platform has open; nothing more is written to a database that was replaced."""
    if platform.mailer is not None:
        platform.mailer.close()
    if served:
        await _close_blocks(platform)
        await note_blocks(platform, settings.data / "signer-reservations.jsonl")
    # Last of all that writes: what the end itself has recorded is in the log too.
    await log.stop(served=served)
    await platform.database.close()
    await platform.journal.close()
    await platform.signer.close()


@dataclass(frozen=True, slots=True)
class Sockets:
    """The addresses that are taken, and what they are called outside."""

    api_socket: socket.socket
    public_socket: socket.socket
    api: Address
    public_url: str

    @classmethod
    def open(cls, settings: Settings) -> Sockets:
        """Take both addresses."""
        api_socket = bind(settings.listen.host, settings.listen.port)
        public_socket = bind(settings.public_listen.host, settings.public_listen.port)
        api = Address(settings.listen.host, api_socket.getsockname()[1])
        public = Address(settings.public_listen.host, public_socket.getsockname()[1])
        public_url = settings.public_url or f"http://{public.url_host()}:{public.port}"
        return cls(api_socket, public_socket, api, public_url.rstrip("/"))

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"https://{self.api.url_host()}:{self.api.port}"


def _listeners(
    platform: Platform,
    settings: Settings,
    sockets: Sockets,
    tls: ssl.SSLContext,
    log: LogService,
    anchors: AnchorService,
) -> tuple[Listener, ...]:
    services = Services(
        platform.tokens,
        platform.tenants,
        platform.enrolment,
        platform.renewal,
        platform.server_keys,
        platform.bulk,
        platform.authorities,
        platform.take_overs,
        platform.take_over_work,
        platform.profiles,
        platform.revocation,
        platform.refused_keys,
        platform.notices,
        platform.timestamping,
        platform.stamps,
        platform.evidence,
        platform.papers,
        platform.identity,
        log,
        sockets.api_url,
    )
    clock, maximum, timeout = platform.clock, _connections_allowed(), settings.request_timeout
    rest = api_application(platform, services, log)
    public = public_application(platform, log, anchors)
    return (
        Listener(rest, sockets.api_socket, clock, maximum, timeout, tls),
        Listener(public, sockets.public_socket, clock, maximum, timeout),
    )


def _upkeep(platform: Platform, settings: Settings, tls: ApiTls) -> Upkeep:
    """What a run that lasts must do now and then."""

    async def upkeep() -> None:
        platform.reserve.refill()
        await tls.ensure()
        try:
            await _load_key_list(platform)
        except KeyListError as error:
            _LOG.error("the list of compromised keys stays as it was: %s", error)
        if settings.database is not None:
            # Partitions are made ahead of the months that they are for.
            today = platform.clock.now().date()
            await asyncio.to_thread(migrate_postgres, settings.database, today)

    return upkeep


class ApiApplication:
    """The API, and beside it the trust centre: over TLS, because what it says is not signed."""

    def __init__(self, rest: RestApplication, trust: TrustDoor) -> None:
        self._rest = rest
        self._trust = trust
        self._pages = PlainApplication(trust.routes(), trust.prepared)

    def prepared(self, request: Request) -> Prepared | None:
        """A page of the trust centre that is ready; nothing of the API ever is."""
        return self._trust.prepared(request)

    def __call__(self, request: Request) -> Awaitable[Response | Prepared]:
        """Answer a request."""
        if request.raw_path.startswith(b"/trust"):
            return self._pages(request)
        return self._rest(request)


def api_application(platform: Platform, services: Services, log: LogService) -> ApiApplication:
    """What is served over TLS."""
    trust = TrustDoor(platform.papers, ProofService(platform.store, log), platform.clock)
    return ApiApplication(RestApplication(services), trust)


def public_application(platform: Platform, log: LogService, anchors: AnchorService) -> Application:
    """What is served in plain HTTP: nothing that the table does not name."""
    ocsp = OcspDoor(platform.ocsp, platform.presigned, platform.clock)
    repository = RepositoryService(
        platform.authorities, platform.store.tenant_of, platform.crls.shards
    )
    routes = (
        *ocsp.routes(),
        *CrlDoor(platform.crls).routes(),
        *RepositoryDoor(repository).routes(),
        *TspDoor(platform.stamps, platform.clock).routes(),
        *TlogDoor(log).routes(),
        *AnchorDoor(anchors).routes(),
    )
    for route in routes:
        if plain_route(route.path) is None:
            raise SettingsError(f"{route.path} may not be served without TLS")
    return PlainApplication(routes, ocsp.prepared)


async def _load_key_list(platform: Platform) -> None:
    """Use the list of compromised keys as it is now; `KeyListError` when that is not possible."""
    if platform.key_list.refresh():
        facts = platform.key_list.facts
        _LOG.info("a list of %d compromised keys is in use", facts.keys)
        await platform.refused_keys.record_list(facts.keys, facts.digest)


async def _release_jobs(platform: Platform) -> None:
    """Make due what an earlier run of this node had claimed when it ended."""
    released = await platform.jobs.release_own(platform.clock.now())
    if released:
        _LOG.warning("%d jobs of this node's earlier run are due again", released)


async def _settle(platform: Platform, settings: Settings, stop: asyncio.Event) -> None:
    """Bring in order what an earlier run, or an older database, has left."""
    await platform.authorities.refresh()
    if settings.production and settings.journal is None:
        _LOG.warning("no --journal: if this disk is lost, a backup cannot be served")
    restored = await recover(platform, settings, stop)
    await _release_jobs(platform)
    await _settle_blocks(platform)
    if restored:
        await replace_stale_lists(platform)
        # It may be one of the certificates that have no record any more.
        (settings.data / "tls" / "api.pem").unlink(missing_ok=True)
    await platform.authorities.refresh()
    try:
        await platform.tenants.complete_openings()
    except Problem as problem:
        if problem.code is not ProblemCode.ISSUANCE_STOPPED:
            raise
        # Who could lift the stop must be able to: the opening waits for the next start.
        _LOG.warning("a tenant stays half open: %s", problem)


async def _settle_blocks(platform: Platform) -> None:
    """Void what an earlier run of this node reserved and did not record."""
    for tenant, serials in (await platform.tenants.settle_blocks(platform.node)).items():
        _LOG.warning("%d serials of tenant %s became void", serials, tenant)


async def _close_blocks(platform: Platform) -> None:
    """Say which serials of the present blocks were never used."""
    for tenant, used in platform.serials.drain().items():
        await platform.issuance.settle_blocks(tenant, platform.node, used)


def _connections_allowed() -> int:
    """Connections for each listener, after raising the limit on file descriptors."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max((hard - _DESCRIPTORS_KEPT) // 2, 64)


def _context(data: Path, sockets: Sockets, demo: Demo | None, log: LogService) -> Context:
    keys = log_keys(log)
    context: dict[str, str | bool] = {
        "ready": True,
        "api": sockets.api_url,
        "public": sockets.public_url,
        "tls_ca": str((data / "tls" / "ca.pem").resolve()),
        "log_vkey": keys.vkey,
    }
    if keys.vkey_mldsa is not None:
        context["log_vkey_mldsa"] = keys.vkey_mldsa
    if demo is not None:
        context |= {
            "token_file": str(demo.token_file.resolve()),
            "tenant": demo.tenant,
            "issuer": demo.issuer.id,
            "sandbox": str((data / "sandbox").resolve()),
        }
    return context


def _write_context(data: Path, context: Context) -> Context:
    file = data / "context.json"
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(context) + "\n")
    temporary.replace(file)
    return context


def _announce(context: Context) -> None:
    sys.stdout.write(json.dumps(context) + "\n")
    sys.stdout.flush()
