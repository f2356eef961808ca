"""What must hold after a crash and a start, read from the store, the signer's journal and OCSP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlalchemy import Table, bindparam, select

from tegata.issuance.serials import SerialBlock
from tegata.kernel.ids import (
    BlockId,
    CertificateId,
    IssuerId,
    TenantId,
    encode_certificate_id,
)
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import DataKeyKind, KeyPurpose
from tegata.main.composition import Platform
from tegata.pkix.crl import RevocationReason
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.pkix.ocsp import CertId, OcspRequest, issuer_hashes, parse_ocsp_request
from tegata.revocation.model import CrlKind, Status
from tegata.store.issuance import block_context, searchable
from tegata.store.schema import (
    certificate,
    certificate_name,
    crl,
    responder,
    revocation,
    serial_block,
)
from tegata.store.statement import Row, Statement
from tegata.tenancy.model import TenantState
from tests.crash.authorities import require_authority
from tests.crash.bulk import require_file
from tests.crash.ledger import Ledger, Line
from tests.crash.scenarios import DEMO, OPERATOR, Actor
from tests.fakes.unit import verified_record


def _all(table: Table, *names: str) -> Statement:
    columns = [table.c[name] for name in names]
    return Statement(select(*columns).where(table.c.tenant == bindparam("tenant")))


_BLOCKS = _all(serial_block, "id", "issuer", "epoch", "size", "prf_key", "closed_at")
_MONTHS = Statement(
    select(serial_block.c.epoch).distinct().where(serial_block.c.tenant == bindparam("tenant"))
)
_CERTIFICATES = Statement(
    select(
        certificate.c.issuer, certificate.c.serial, certificate.c.profile, certificate.c.id
    ).where(certificate.c.tenant == bindparam("tenant"), certificate.c.epoch == bindparam("epoch"))
)
_NAMED = Statement(
    select(certificate_name.c.certificate).where(
        certificate_name.c.tenant == bindparam("tenant"),
        certificate_name.c.epoch == bindparam("epoch"),
        certificate_name.c.name == bindparam("name"),
    )
)
_REVOCATIONS = _all(revocation, "issuer", "serial", "certificate")
_CRLS = _all(crl, "issuer", "shard", "kind")
_RESPONDERS = _all(responder, "issuer")


@dataclass(frozen=True, slots=True)
class Books:
    """What the store and the signer have written down about one tenant."""

    scope: TenantScope
    blocks: dict[BlockId, SerialBlock]
    still_open: frozenset[BlockId]
    recorded: frozenset[tuple[IssuerId, int]]
    revoked: frozenset[tuple[IssuerId, int]]
    void: frozenset[tuple[IssuerId, int]]
    journal: dict[str, Line]
    signed: tuple[Line, ...]


async def _certificates(platform: Platform, tenant: TenantId) -> list[Row]:
    """A tenant's certificates. They are asked for month by month, as the platform does: a server
    that must open every partition is busy with nothing else."""
    found: list[Row] = []
    for (month,) in await platform.database.fetch(tenant, _MONTHS, {}):
        found += await platform.database.fetch(tenant, _CERTIFICATES, {"epoch": month})
    return found


async def read_books(platform: Platform, ledger: Ledger, tenant: TenantId) -> Books:
    """Read them."""
    scope = platform_acts(tenant, "test")

    async def rows(statement: Statement) -> list[Row]:
        return await platform.database.fetch(tenant, statement, {})

    sealer = await platform.store.data_keys.sealer(tenant, DataKeyKind.CA_RECORDS)
    blocks, still_open = {}, set()
    for identifier, _issuer, month, size, sealed, closed_at in await rows(_BLOCKS):
        block = BlockId(identifier)
        key = sealer.unseal(bytes(sealed), block_context(block))
        blocks[block] = SerialBlock(block, month, size, key)
        if closed_at is None:
            still_open.add(block)
    revocations = await rows(_REVOCATIONS)
    journal = platform.reserve._folder / "signer-reservations.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return Books(
        scope,
        blocks,
        frozenset(still_open),
        frozenset(
            (IssuerId(row[0]), _number(row[1])) for row in await _certificates(platform, tenant)
        ),
        frozenset((IssuerId(row[0]), _number(row[1])) for row in revocations),
        frozenset((IssuerId(row[0]), _number(row[1])) for row in revocations if row[2] is None),
        {line["block"]: line for line in lines},
        tuple(line for line in ledger.signed() if line["tenant"] == tenant),
    )


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


async def require_reserved(platform: Platform, books: Books) -> None:
    """Before blocks are settled: no signature without its reservation, and none is called good
    that is not recorded."""
    places = {
        block.serial(counter): block
        for block in books.blocks.values()
        for counter in range(block.size)
    }
    recorded = {serial for _issuer, serial in books.recorded}
    issuers = {each.key.id: each.id for each in await platform.store.list_issuers(books.scope)}
    for line in books.signed:
        if "serial" not in line:
            continue
        serial = int(line["serial"], 16)
        assert serial in places, f"signed under {serial:x}, which the store has not reserved"
        block = places[serial]
        entry = books.journal.get(block.id)
        assert entry is not None, f"signed under {serial:x}, which is in no journal"
        assert (entry["key"], entry["month"], entry["size"]) == (
            line["key"],
            block.month,
            block.size,
        )
        if serial not in recorded and line["key"] in issuers:
            issuer = issuers[line["key"]]
            status = await platform.store.certificate_status(books.scope, issuer, serial)
            assert status.status is not Status.GOOD, f"{serial:x} is good and not recorded"


async def require_settled(platform: Platform, books: Books) -> None:
    """After blocks are settled: whatever may have been signed is recorded or void, not both."""
    issuers = {each.key.id: each.id for each in await platform.store.list_issuers(books.scope)}
    # A tenant without a CA is looked at by the start after the one that completes it.
    assert not issuers or not books.still_open
    assert not books.void & books.recorded
    for line in books.signed:
        # A CA whose own certificate was lost has no other: nobody was told its key.
        if "serial" in line and line["key"] in issuers:
            place = issuers[line["key"]], int(line["serial"], 16)
            assert (place in books.recorded) != (place in books.void), line


async def require_acknowledged(platform: Platform, ledger: Ledger, newest: int) -> None:
    """Everything that somebody was told is true; of certificates, so many of the newest."""
    for line in ledger.acknowledged("issued")[-newest:]:
        found = await platform.store.get_certificate(DEMO, CertificateId(line["id"]))
        assert found.der.hex() == line["der"]
    for line in ledger.acknowledged("revoked")[-newest:]:
        found = await platform.store.get_certificate(DEMO, CertificateId(line["id"]))
        status = await platform.store.certificate_status(DEMO, found.issuer, found.serial)
        assert status.status is Status.REVOKED
    numbers = [line["number"] for line in ledger.acknowledged("published")]
    assert numbers == sorted(set(numbers))
    if numbers:
        latest = await platform.crls.latest(IssuerId(ledger.acknowledged("published")[0]["issuer"]))
        assert latest.number >= numbers[-1]
    for line in ledger.acknowledged("opened")[-newest:]:
        tenant = await platform.store.find_tenant(OPERATOR, TenantId(line["tenant"]))
        assert tenant is not None
        assert tenant.state is TenantState.ACTIVE


async def require_answers(
    platform: Platform, issuer: IssuerId, revoked: Iterable[int], good: Iterable[int]
) -> None:
    """OCSP says so."""
    wanted = dict.fromkeys(revoked, ocsp.OCSPCertStatus.REVOKED)
    wanted |= dict.fromkeys(good, ocsp.OCSPCertStatus.GOOD)
    if not wanted:
        return
    found = await platform.store.get_issuer(DEMO, issuer)
    own = issuer_hashes(found.facts.subject, found.key.public_key)[0]
    cert_ids: list[CertId] = []
    for serial in wanted:
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            own.name_hash, own.key_hash, serial, hashes.SHA1()
        )
        request = parse_ocsp_request(builder.build().public_bytes(Encoding.DER))
        cert_ids += request.cert_ids
    answer = await platform.ocsp.answer(OcspRequest(tuple(cert_ids), None))
    assert answer is not None
    response = ocsp.load_der_ocsp_response(answer.der)
    told = {each.serial_number: each.certificate_status for each in response.responses}
    assert told == wanted


async def require_in_service(actor: Actor, ledger: Ledger) -> None:
    """A further certificate, its revocation, and a list with everything that belongs in it."""
    platform, issuer = actor.platform, actor.issuer
    latest = await platform.crls.latest(issuer)
    kept = await actor.issue(f"kept.{actor.tag}.example.test")
    gone = await actor.issue(f"gone.{actor.tag}.example.test")
    await actor.revoke(gone)
    await require_answers(platform, issuer, [gone.serial], [kept.serial])
    assert await actor.publish() > latest.number
    published = await platform.crls.latest(issuer)
    list_ = x509.load_der_x509_crl(published.der)
    number = list_.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == published.number
    listed = {entry.serial_number for entry in list_}
    rows = await platform.database.fetch(DEMO.tenant, _REVOCATIONS, {})
    assert listed == {_number(row[1]) for row in rows if row[0] == issuer}
    assert gone.serial in listed
    assert kept.serial not in listed
    shard = await platform.crls.publish(DEMO, issuer, gone.shard)
    of_shard = {entry.serial_number for entry in x509.load_der_x509_crl(shard.der)}
    assert gone.serial in of_shard <= listed
    # Whatever became of a list that was signed and not published: its number was not passed.
    key = (await platform.store.get_issuer(DEMO, issuer)).key.id
    lists = [line for line in ledger.signed() if "crl" in line and line["key"] == key]
    if not ledger.signed():
        return  # The signer was the real one, which writes nothing down for us.
    assert max(line["crl"] for line in lists if line["scope"] == "complete") == number
    # A number is taken before anything is signed under it: none was ever signed under twice.
    signed = Counter((line["scope"], line["crl"]) for line in lists)
    assert set(signed.values()) == {1}, signed


async def require_intended(actor: Actor, ledger: Ledger, intent: Line) -> bool:
    """What the life before was doing is done, or was not begun, or can be asked for again.

    Whether something of it was done that nobody had been told of.
    """
    told = {line["id"] for line in ledger.acknowledged("issued")}
    match intent["scenario"]:
        case "issue":
            return not await _find_one(actor, intent["name"]) <= told
        case "issue-with-key":
            found_first = await _find_one(actor, intent["name"])
            first = await actor.issue(intent["name"], intent["key"], intent["csr"])
            again = await actor.issue(intent["name"], intent["key"], intent["csr"])
            assert first == again
            assert await _find_one(actor, intent["name"]) == {first.id} >= found_first
            await require_answers(actor.platform, actor.issuer, [], [first.serial])
            return not found_first <= told
        case "revoke":
            return await _require_revoked(actor, ledger, CertificateId(intent["id"]))
        case "release":
            return await _require_released(actor, ledger, CertificateId(intent["id"]))
        case "publish":
            numbers = [line["number"] for line in ledger.acknowledged("published")]
            return (await actor.platform.crls.latest(actor.issuer)).number > max(numbers, default=1)
        case "exhaust":
            rows = await _certificates(actor.platform, DEMO.tenant)
            servers = {
                encode_certificate_id(bytes(row[3])) for row in rows if row[2] == "tls-server"
            }
            return not servers <= told
        case "open-tenant":
            return await _require_opened(actor, ledger, intent)
        case "bulk":
            return await require_file(actor, intent)
        case "create-ca" | "rekey-ca" | "install-ca":
            return await require_authority(actor, intent)
    raise AssertionError(intent)


async def _find_one(actor: Actor, name: str) -> set[str]:
    """The certificate for a host name, if there is one; never two."""
    database, found = actor.platform.database, set()
    wanted = searchable(GeneralName(GeneralNameKind.DNS, name))
    for (month,) in await database.fetch(DEMO.tenant, _MONTHS, {}):
        rows = await database.fetch(DEMO.tenant, _NAMED, {"epoch": month, "name": wanted})
        found |= {encode_certificate_id(bytes(row[0])) for row in rows}
    assert len(found) <= 1
    return set(found)


async def _require_revoked(actor: Actor, ledger: Ledger, identifier: CertificateId) -> bool:
    found = await actor.platform.store.get_certificate(DEMO, identifier)
    told = {line["id"] for line in ledger.acknowledged("revoked")}
    stood = False
    try:
        await actor.revoke(found)
    except Problem as problem:
        if problem.code is not ProblemCode.CERTIFICATE_REVOKED:
            raise
        stood = True
    await require_answers(actor.platform, actor.issuer, [found.serial], [])
    return stood and identifier not in told


async def _require_released(actor: Actor, ledger: Ledger, identifier: CertificateId) -> bool:
    found = await actor.platform.store.get_certificate(DEMO, identifier)
    was_held = identifier in {line["id"] for line in ledger.acknowledged("held")}
    was_released = identifier in {line["id"] for line in ledger.acknowledged("released")}
    status = await actor.platform.store.certificate_status(DEMO, found.issuer, found.serial)
    is_held = status.status is Status.REVOKED
    assert not (was_released and is_held)
    if is_held:
        assert status.reason is RevocationReason.CERTIFICATE_HOLD
        await actor.platform.revocation.release(DEMO, identifier, bytes(32))
    await require_answers(actor.platform, actor.issuer, [], [found.serial])
    return is_held != was_held and not was_released


async def _require_opened(actor: Actor, ledger: Ledger, intent: Line) -> bool:
    platform, identifier = actor.platform, TenantId(intent["tenant"])
    told = {line["tenant"] for line in ledger.acknowledged("opened")}
    found = await platform.store.find_tenant(OPERATOR, identifier)
    untold = found is not None and identifier not in told
    if found is None:
        # Nothing of it was there: it is opened as if nothing had been.
        await platform.tenants.open_tenant(OPERATOR, intent["name"], bytes(32), identifier)
        ledger.acknowledge("opened", tenant=identifier)
        found = await platform.store.find_tenant(OPERATOR, identifier)
    assert found is not None
    assert found.state is TenantState.ACTIVE
    await require_whole_tenant(platform, identifier)
    return untold


async def require_whole_tenant(platform: Platform, identifier: TenantId) -> None:
    """A tenant has everything that it needs, once each, and its record says so."""
    scope = platform_acts(identifier, "test")
    issuers = await platform.store.list_issuers(scope)
    every = sorted(issuer.id for issuer in issuers)
    purposes = Counter(issuer.key.purpose for issuer in issuers)
    assert purposes == {KeyPurpose.ROOT_CA: 1, KeyPurpose.ISSUING_CA: 1}
    rows = await _certificates(platform, identifier)
    profiles = Counter(row[2] for row in rows)
    assert profiles == {"root-ca": 1, "issuing-ca": 1, "ocsp-responder": 2}
    responders = await platform.database.fetch(identifier, _RESPONDERS, {})
    assert sorted(row[0] for row in responders) == every
    crls = await platform.database.fetch(identifier, _CRLS, {})
    assert sorted(tuple(row) for row in crls) == [
        (issuer, shard, kind) for issuer in every for shard in (0, 1) for kind in sorted(CrlKind)
    ]
    events = await platform.tenants.list_events(scope, 0, 1000)
    acts = [json.loads(event.canonical)["action"] for event in events]
    assert acts.count("tenancy:tenant:open") == acts.count("tenancy:tenant:activate") == 1
    await verified_record(platform.database, identifier)


async def require_records(platform: Platform) -> None:
    """Each record is consecutive and chained."""
    for tenant in (DEMO.tenant, OPERATOR.tenant):
        assert await verified_record(platform.database, tenant)
