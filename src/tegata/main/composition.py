"""Composition: every port meets its implementation here, by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tegata.identity.services import IdentityServices
from tegata.issuance.authorities import AuthorityService
from tegata.issuance.gate import IssuanceGate
from tegata.issuance.hierarchy import RESPONDER_RENEWAL, HierarchyService
from tegata.issuance.reserve import SerialReserve
from tegata.issuance.service import IssuanceService
from tegata.issuance.take_over import TakeOverService
from tegata.issuance.take_over_work import TakeOverWork
from tegata.kernel.ids import IssuerId, NodeId, encode_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.scope import TenantScope
from tegata.main.identity import compose_identity
from tegata.main.settings import Settings
from tegata.operations.recovery import NodeKeeper, RecoveryService
from tegata.outbound.discipline import KernelDiscipline
from tegata.outbound.smtp import SmtpMailer
from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.profiles.catalogue import OCSP_RESPONDER
from tegata.protocols.ocsp.endpoints import OcspForms
from tegata.registration.bulk import BulkService
from tegata.registration.bulk_work import BulkWork
from tegata.registration.key_comparison import KeyComparison
from tegata.registration.notices import NoticeService
from tegata.registration.profiles import ProfileService
from tegata.registration.renewal import RenewalService
from tegata.registration.screening import KeyScreening, RefusedKeyService
from tegata.registration.server_keys import ServerKeyService
from tegata.registration.service import EnrolmentService
from tegata.revocation.lists import CrlService
from tegata.revocation.presigned import PresignedAnswers
from tegata.revocation.rules import CRL_PERIOD
from tegata.revocation.service import OcspService, RevocationService
from tegata.signers.client import SignerClient
from tegata.signers.data_keys import DataKeyRing, NodeKeys
from tegata.signers.subject_keys import MemoryKeyMaker
from tegata.store.database import Database
from tegata.store.discovery import discover_postgres, discover_sqlite
from tegata.store.disk import DiskReserve
from tegata.store.inventory import require_inventory
from tegata.store.jobs import CRL_JOB, DELTA_JOB, RESPONDER_JOB, SHARD_JOB, JobQueue
from tegata.store.journal import Journal, open_journal
from tegata.store.key_list import KeyListFile
from tegata.store.keys import find_data_key
from tegata.store.migrate import migrate_postgres, migrate_sqlite
from tegata.store.postgres import PostgresDatabase
from tegata.store.replay import RecoveringStore
from tegata.store.sqlite import SqliteDatabase
from tegata.store.status_feed import StatusFeed
from tegata.tenancy.service import Schedule, TenantService
from tegata.tenancy.tokens import TokenService
from tegata.timestamping.authorities import TimestampAuthorityService
from tegata.timestamping.clock import JudgedClock
from tegata.timestamping.service import TimestampService


@dataclass(frozen=True, slots=True)
class Platform:
    """All use cases, wired."""

    node: NodeId
    clock: Clock
    randomness: Randomness
    database: Database
    reserve: DiskReserve
    signer: SignerClient
    store: RecoveringStore
    jobs: JobQueue
    serials: SerialReserve
    issuance: IssuanceService
    hierarchy: HierarchyService
    authorities: AuthorityService
    take_overs: TakeOverService
    take_over_work: TakeOverWork
    enrolment: EnrolmentService
    renewal: RenewalService
    server_keys: ServerKeyService
    bulk: BulkService
    bulk_work: BulkWork
    refused_keys: RefusedKeyService
    key_comparison: KeyComparison
    key_list: KeyListFile
    profiles: ProfileService
    revocation: RevocationService
    crls: CrlService
    ocsp: OcspService
    presigned: PresignedAnswers[OcspForms]
    status_feed: StatusFeed
    tokens: TokenService
    tenants: TenantService
    journal: Journal
    recovery: RecoveryService
    keeper: NodeKeeper
    notices: NoticeService
    identity: IdentityServices
    mailer: SmtpMailer | None
    timestamping: TimestampAuthorityService
    stamps: TimestampService


async def open_database(settings: Settings, clock: Clock, reserve: DiskReserve) -> Database:
    """The engine that the settings name, its schema up to date and inventoried."""
    if settings.database is None:
        path = settings.data / "tegata.sqlite"
        migrate_sqlite(path)
        require_inventory(discover_sqlite(path))
        return SqliteDatabase(path, reserve)
    migrate_postgres(settings.database, clock.now().date())
    require_inventory(discover_postgres(settings.database))
    return await PostgresDatabase.open(settings.database)


def node_id(data: Path, clock: Clock, randomness: Randomness) -> NodeId:
    """This node's id, made on first use: the data folder is the node."""
    file = data / "node"
    if not file.exists():
        octets = time_ordered(int(clock.now().timestamp() * 1000), randomness.octets(10))
        # Whole and durable, or not there: a node with no name would settle another's blocks.
        temporary = file.with_suffix(".new")
        with temporary.open("w") as opened:
            opened.write(encode_id("nod", octets))
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
    return NodeId(file.read_text())


async def _journal(
    settings: Settings, node: NodeId, signer: SignerClient, reserve: DiskReserve
) -> Journal:
    """This node's journal of negative acts, in its folder and in a second one."""
    folders = [settings.data / "negative-acts"]
    if settings.journal is not None:
        folders.append(settings.journal)
    keys = NodeKeys(signer, SystemRandomness())
    return await open_journal(node, folders, keys, reserve, SystemClock(), settings.journal_days)


def _schedule(jobs: JobQueue, clock: Clock) -> Schedule:
    async def schedule(scope: TenantScope, issuer: IssuerId) -> None:
        """The recurring work of an issuer: its CRLs daily, its responder before it expires."""
        now = clock.now()
        for kind, key in ((CRL_JOB, issuer), (DELTA_JOB, issuer), (SHARD_JOB, f"{issuer}/1")):
            await jobs.want(kind, key, scope.tenant, now + CRL_PERIOD)
        renewal = now + OCSP_RESPONDER.validity - RESPONDER_RENEWAL
        await jobs.want(RESPONDER_JOB, issuer, scope.tenant, renewal)

    return schedule


def _data_keys(signer: SignerClient, database: Database, randomness: Randomness) -> DataKeyRing:
    return DataKeyRing(
        signer, lambda tenant, kind: find_data_key(database, tenant, kind), randomness
    )


async def compose(settings: Settings, public_url: str, socket: Path) -> Platform:
    """Wire the platform. The signer process must be running."""
    clock, randomness = SystemClock(), SystemRandomness()
    node = node_id(settings.data, clock, randomness)
    reserve = DiskReserve(settings.data, settings.disk_reserve)
    database = await open_database(settings, clock, reserve)
    signer = SignerClient(socket)
    keys = _data_keys(signer, database, randomness)
    presigned: PresignedAnswers[OcspForms] = PresignedAnswers(settings.status_memory)
    journal = await _journal(settings, node, signer, reserve)

    def withdraw(issuer: IssuerId, serial: int) -> None:
        presigned.withdraw(issuer, serial)
        stamps.withdraw(issuer)

    store = RecoveringStore(database, keys, clock, randomness, public_url, withdraw, journal)
    jobs = JobQueue(database, node)
    timetable = _schedule(jobs, clock)
    serials = SerialReserve(store, signer, clock, node)
    gate = IssuanceGate()
    issuance = IssuanceService(store, signer, serials, clock, randomness, gate)
    judged = JudgedClock(KernelDiscipline(), settings.clock_trusted)
    stamps = TimestampService(store, signer, judged, randomness, gate)
    hierarchy = HierarchyService(store, signer, issuance, clock, randomness)
    crls = CrlService(store, signer, clock)
    key_list = KeyListFile(settings.key_list)
    profiles, screening = ProfileService(store, store, store, clock), KeyScreening(store, key_list)
    mailer = SmtpMailer(settings.smtp) if settings.smtp is not None else None

    enrolment = EnrolmentService(store, store, issuance, clock, profiles, screening)
    revocation = RevocationService(store, clock)
    renewal = RenewalService(store, store, enrolment, revocation, clock)
    authorities = AuthorityService(
        store, hierarchy, signer, gate, clock, crls.ensure_published, timetable
    )
    tokens = TokenService(store, clock, randomness)
    return Platform(
        node=node,
        clock=clock,
        randomness=randomness,
        database=database,
        reserve=reserve,
        signer=signer,
        store=store,
        jobs=jobs,
        serials=serials,
        issuance=issuance,
        hierarchy=hierarchy,
        authorities=authorities,
        take_overs=TakeOverService(store, signer, authorities, screening.screen_key, clock),
        take_over_work=TakeOverWork(store, authorities, clock, randomness),
        enrolment=enrolment,
        renewal=renewal,
        server_keys=ServerKeyService(store, profiles, enrolment, MemoryKeyMaker()),
        bulk=BulkService(store, store, clock, randomness),
        bulk_work=BulkWork(store, store, store, enrolment, renewal, revocation, tokens, clock),
        refused_keys=RefusedKeyService(store, clock),
        key_comparison=KeyComparison(store, clock),
        key_list=key_list,
        profiles=profiles,
        revocation=revocation,
        crls=crls,
        ocsp=OcspService(store, signer, clock),
        presigned=presigned,
        status_feed=StatusFeed(database),
        tokens=tokens,
        tenants=TenantService(store, keys, hierarchy, crls, clock, randomness, timetable),
        journal=journal,
        recovery=RecoveryService(store, journal, node),
        keeper=NodeKeeper(store, journal, node),
        notices=NoticeService(store, mailer, clock, randomness),
        identity=compose_identity(settings, store, clock, randomness),
        mailer=mailer,
        timestamping=TimestampAuthorityService(store, signer, issuance, clock, randomness),
        stamps=stamps,
    )
