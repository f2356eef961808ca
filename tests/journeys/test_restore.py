"""A database of yesterday comes back: nothing that was taken away since is given again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from tests.components import require
from tests.journeys.platform import (
    Json,
    Server,
    Tenant,
    eventually,
    log_file,
    output_file,
    run_tegata,
    running,
    spawn,
)
from tests.journeys.requests import make_csr
from tests.journeys.status import chain_of, crl_number, crl_of, entry_of, status_of
from tests.postgres import postgres_cluster, query

REFUSED_SECONDS = 30
COMPROMISED = ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Site:
    """A node's folder and database, and a backup of the database."""

    folder: Path
    database: tuple[str, ...]

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def journal(self) -> Path:
        """Where the negative acts are."""
        return self.data / "negative-acts"

    def options(self) -> tuple[str, ...]:
        """What the platform is started with."""
        return ("--demo", *self.database)

    def back_up(self, name: str = "backup") -> None:
        """Take a backup while the platform runs."""
        if not self.database:
            done = run_tegata("backup", self.folder / name, "--data", self.data)
            assert done.returncode == 0, done.stderr
            return
        self._tool("pg_dump", "-Fc", "-f", self.folder / name, self.database[1])

    def put_back(self, name: str = "backup", *, marked: bool = True) -> None:
        """Bring the backup back, as the how-to says; not `marked` is as nobody should."""
        if not self.database:
            if marked:
                done = run_tegata("restore", self.folder / name, "--data", self.data)
                assert done.returncode == 0, done.stderr
                return
            for old in self.data.glob("tegata.sqlite*"):
                old.unlink()
            shutil.copy(self.folder / name / "tegata.sqlite", self.data)
            return
        url = self.database[1]
        query(url, "DROP OWNED BY tegata_app; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self._tool("pg_restore", "-d", url, self.folder / name)
        if marked:
            done = run_tegata("restore", "--database", url)
            assert done.returncode == 0, done.stderr

    def refused(self, *options: str) -> str:
        """What a start says that must be refused."""
        process = spawn(self.data, *self.options(), *options)
        assert process.wait(REFUSED_SECONDS) != 0
        # The signer process writes there too, and may be the last to.
        said = [line for line in log_file(self.data).read_text().splitlines() if "Error: " in line]
        return said[-1]

    def _tool(self, name: str, *arguments: str | Path) -> None:
        tool = require("postgresql", "its own tools take the backup").with_name(name)
        subprocess.run([tool, *arguments], check=True, capture_output=True)


@pytest.fixture
def site(folder: Path, database: tuple[str, ...]) -> Site:
    return Site(folder, database)


@dataclass(frozen=True, slots=True)
class Yesterday:
    """What was done after the backup, and what relying parties were told."""

    tenant: Tenant
    suspended: Tenant
    kept: Json
    revoked: Json
    answer: ocsp.OCSPResponse
    dead_token: str
    lost: Json
    lost_and_revoked: Json
    held: Json
    released: Json
    crl: x509.CertificateRevocationList


def live_a_day(server: Server, back_up: Callable[[], None]) -> Yesterday:
    """Issue, back up, and then take away."""
    tenant = server.open_tenant("Restored")
    suspended = server.open_tenant("Suspended")
    kept = tenant.issue(make_csr("kept.example.test"))
    revoked = tenant.issue(make_csr("revoked.example.test", key=COMPROMISED))
    token = tenant.caller.post("/v1/tokens", {"name": "dies"}).good(201)
    held, released, final = (
        tenant.issue(make_csr(f"{name}.example.test")) for name in ("held", "released", "final")
    )
    for body in (released, final):
        tenant.revoke(body["id"], "certificateHold").good()
    back_up()
    tenant.revoke(held["id"], "certificateHold").good()
    tenant.caller.post(f"/v1/certificates/{released['id']}/release", None).good()
    tenant.revoke(final["id"], "superseded").good()
    tenant.revoke(revoked["id"], "keyCompromise").good()
    tenant.caller.delete(f"/v1/tokens/{token['id']}").good(204)
    server.operator.post(f"/v1/tenants/{suspended.id}/suspend", None).good()
    lost = tenant.issue(make_csr("lost.example.test"))
    lost_and_revoked = tenant.issue(make_csr("both.example.test"))
    tenant.revoke(lost_and_revoked["id"], "superseded").good()

    def listed() -> x509.CertificateRevocationList | None:
        crl = crl_of(server.public, tenant.issuer, chain_of(kept)[0])
        return crl if entry_of(crl, lost_and_revoked) is not None else None

    return Yesterday(
        tenant, suspended, kept, revoked, status_of(server.public, revoked), token["secret"],
        lost, lost_and_revoked, held, released, eventually(listed),
    )  # fmt: skip


def require_standing(server: Server, day: Yesterday) -> None:
    """Nothing of it was taken back."""
    tenant = Tenant(
        day.tenant.id, day.tenant.name, day.tenant.issuer, server.caller(day.tenant.caller.token)
    )
    answer = status_of(server.public, day.revoked)
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert answer.revocation_time_utc == day.answer.revocation_time_utc
    assert answer.revocation_reason is x509.ReasonFlags.key_compromise
    lost = status_of(server.public, day.lost)
    assert lost.certificate_status is ocsp.OCSPCertStatus.REVOKED
    both = status_of(server.public, day.lost_and_revoked)
    assert both.revocation_reason is x509.ReasonFlags.superseded
    held = status_of(server.public, day.held)
    assert held.revocation_reason is x509.ReasonFlags.certificate_hold
    for body in (day.kept, day.released):
        good = status_of(server.public, body)
        assert good.certificate_status is ocsp.OCSPCertStatus.GOOD
    for body in (day.revoked, day.lost, day.lost_and_revoked, day.held):
        # Of the shard that the certificate names, though the database lacks the certificate.
        path = urlsplit(body["crl_url"]).path
        shard = x509.load_der_x509_crl(server.public.get(path).body)
        assert entry_of(shard, body) is not None
    crl = crl_of(server.public, tenant.issuer, chain_of(day.kept)[0])
    assert crl_number(crl) > crl_number(day.crl)
    assert {each.serial_number for each in crl} >= {each.serial_number for each in day.crl}
    assert server.caller(day.dead_token).get("/v1/issuers").status == 401
    suspended = server.caller(day.suspended.caller.token)
    assert suspended.get("/v1/issuers").code == "tenant.suspended"
    assert tenant.issue(make_csr("goes-on.example.test"))["id"]
    again = tenant.ask(make_csr("again.example.test", key=COMPROMISED))
    assert again.code == "csr.compromised-key"


def openssl_says(server: Server, day: Yesterday, body: Json, folder: Path) -> str:
    """What `openssl ocsp` says of a certificate."""
    openssl = require("openssl", "asks as its users do")
    (folder / "leaf.pem").write_text(body["certificate"])
    (folder / "issuer.pem").write_text(body["chain"][0])
    (folder / "root.pem").write_text(body["chain"][-1])
    done = subprocess.run(
        [
            openssl, "ocsp", "-issuer", folder / "issuer.pem", "-cert", folder / "leaf.pem",
            "-url", f"{server.public.url}/ocsp", "-CAfile", folder / "root.pem",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_what_was_taken_away_since_the_backup_stays_taken_away(site: Site, *, marked: bool) -> None:
    with running(site.data, *site.options()) as server:
        day = live_a_day(server, site.back_up)
    site.put_back(marked=marked)
    with running(site.data, *site.options()) as server:
        require_standing(server, day)
        assert "revoked" in openssl_says(server, day, day.revoked, site.folder)
        actions = [fact["action"] for fact in server.operator.facts()]
        assert actions.count("operations:restore:detect") == 1
        assert "operations:restore:complete" in actions
        tenant = server.caller(day.tenant.caller.token)
        replayed = [fact for fact in tenant.facts() if fact["action"] == "operations:act:replay"]
        # A hold, the end of one and a revocation after another; two revocations, one of them with
        # a refused key; and a dead token.
        assert len(replayed) == 7
        assert {fact["actor"] for fact in replayed} == {"platform:restore"}
    # And once more: the next start finds nothing left to do.
    with running(site.data, *site.options()) as server:
        require_standing(server, day)
        actions = [fact["action"] for fact in server.operator.facts()]
        assert actions.count("operations:restore:detect") == 1


def test_a_database_without_its_journal_is_not_served(site: Site) -> None:
    with running(site.data, *site.options()) as server:
        day = live_a_day(server, site.back_up)
    shutil.rmtree(site.journal)
    assert "journal of negative acts is missing" in site.refused()
    site.put_back()
    assert "journal of negative acts is missing" in site.refused()
    with running(site.data, *site.options(), "--accept-journal-loss") as server:
        crl = crl_of(server.public, day.tenant.issuer, chain_of(day.kept)[0])
        assert crl_number(crl) > crl_number(day.crl)
        actions = [fact["action"] for fact in server.operator.facts()]
        assert "operations:journal:lost" in actions
    with running(site.data, *site.options()):
        pass


def test_a_journal_that_is_damaged_in_its_middle_is_refused(site: Site) -> None:
    with running(site.data, *site.options()) as server:
        live_a_day(server, site.back_up)
    segment = min(site.journal.glob("*.acts"))
    octets = bytearray(segment.read_bytes())
    octets[len(octets) // 2] ^= 1
    segment.write_bytes(octets)
    assert "is damaged" in site.refused()


def test_a_torn_record_is_a_crash_unless_the_database_is_an_older_one(site: Site) -> None:
    with running(site.data, *site.options()) as server:
        live_a_day(server, site.back_up)
        server.kill()
    segment = max(site.journal.glob("*.acts"))
    with segment.open("ab") as file:
        file.write(b"\x00\x00\x01\x00torn")
    with running(site.data, *site.options()) as server:
        assert "torn off by a crash" in server.log
        server.kill()
    with max(site.journal.glob("*.acts")).open("ab") as file:
        file.write(b"\x00\x00\x01\x00torn")
    site.put_back()
    assert "last record is damaged" in site.refused()


def test_nothing_is_restored_under_a_running_platform(folder: Path) -> None:
    site = Site(folder, ())
    with running(site.data, *site.options()):
        site.back_up()
        done = run_tegata("restore", folder / "backup", "--data", site.data)
        assert (done.returncode, "a platform runs on" in done.stderr) == (1, True)
    (folder / "backup" / "node").write_text("nod_another")
    done = run_tegata("restore", folder / "backup", "--data", site.data)
    assert (done.returncode, "is not what was backed up" in done.stderr) == (1, True)
    (folder / "backup" / "backup.json").unlink()
    done = run_tegata("restore", folder / "backup", "--data", site.data)
    assert (done.returncode, "no completed backup" in done.stderr) == (1, True)


def test_a_second_folder_stands_in_for_a_lost_disk(site: Site) -> None:
    second = ("--journal", str(site.folder / "second"))
    with running(site.data, *site.options(), *second) as server:
        day = live_a_day(server, site.back_up)
    shutil.rmtree(site.journal)
    site.put_back()
    with running(site.data, *site.options(), *second) as server:
        require_standing(server, day)


def test_no_node_serves_before_every_node_has_brought_its_journal(folder: Path) -> None:
    url = postgres_cluster().empty_database()
    shared = ("--database", url, "--sealing-key", str(folder / "sealing.key"))
    site = Site(folder, shared)
    other = folder / "other"
    with running(site.data, *site.options()) as server:
        tenant = server.open_tenant("Two nodes")
        certificate = tenant.issue(make_csr("two.example.test"))
        with running(other, *shared) as second:
            site.back_up()
            caller = second.caller(tenant.caller.token)
            Tenant(tenant.id, "", tenant.issuer, caller).revoke(certificate["id"]).good()
    # Nobody says that the database was restored, and the first node has done nothing since.
    site.put_back(marked=False)
    process = spawn(site.data, *site.options())
    try:
        node = (other / "node").read_text()
        eventually(
            lambda: (
                f"written off (tegata serve --write-off-node ID): {node}"
                in log_file(site.data).read_text()
            )
        )
        assert not output_file(site.data).read_text()
        with running(other, *shared) as second:
            answer = status_of(second.public, certificate)
            assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
            eventually(lambda: output_file(site.data).read_text() or None)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_a_running_node_stops_when_its_database_is_replaced(folder: Path) -> None:
    site = Site(folder, ("--database", postgres_cluster().empty_database()))
    with running(site.data, *site.options()) as server:
        tenant = server.open_tenant("Replaced")
        query(site.database[1], "CREATE TABLE before AS SELECT * FROM node")
        tenant.revoke(tenant.issue(make_csr("a.example.test"))["id"]).good()
        eventually(
            lambda: (
                query(site.database[1], "SELECT 1 FROM node, before WHERE node.mark > before.mark")
                or None
            )
        )
        query(site.database[1], "UPDATE node SET mark = before.mark FROM before")
        assert server.process.wait(20) != 0
        assert "replaced by an older one" in server.log
