"""The signer process dies, again and again: nothing that was acknowledged is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from tegata.issuance.serials import SerialBlock
from tegata.kernel.ids import BlockId, TenantId
from tegata.kernel.signing import DataKeyKind
from tegata.outbound.system import SystemRandomness
from tegata.signers.sealing import RecordSealer, TenantSealer, load_sealing_key
from tegata.store.issuance import block_context
from tests.conformance.running import Issued, RefusedError, Running, is_alive, running, until

KILLS = 4
ISSUERS = 6
RECOVERY_SECONDS = 15.0
GONE_SECONDS = 10.0


@dataclass(slots=True)
class Harvest:
    """What concurrent callers were told."""

    issued: list[Issued] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def gather(self, platform: Running) -> None:
        """Ask for one certificate after the other."""
        while not self.stop.is_set():
            try:
                self.issued.append(platform.issue())
            except RefusedError as error:
                self.refused.append(error)
                self.stop.wait(0.05)  # a caller that was told to try later does so

    def wait_for_more(self) -> None:
        """Return when each caller could have got one more."""
        enough = len(self.issued) + ISSUERS
        until(lambda: len(self.issued) >= enough, RECOVERY_SECONDS, "issuance")


def issue_while_the_signer_is_killed(platform: Running) -> Harvest:
    harvest = Harvest()
    with ThreadPoolExecutor(ISSUERS) as pool:
        callers = [pool.submit(harvest.gather, platform) for _ in range(ISSUERS)]
        try:
            for _ in range(KILLS):
                harvest.wait_for_more()
                pid = platform.signer_pid()
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
            harvest.wait_for_more()
        finally:
            harvest.stop.set()
    for caller in callers:
        caller.result()
    return harvest


def reserved_blocks(data: Path) -> list[tuple[str, SerialBlock, str]]:
    """The recorded blocks of serials, with their issuers' ids and keys, listed again."""
    randomness = SystemRandomness()
    root = RecordSealer(load_sealing_key(data / "sealing.key", randomness, first=False), randomness)
    sealers = {}
    blocks = []
    kind = DataKeyKind.CA_RECORDS
    with sqlite3.connect(f"file:{data / 'tegata.sqlite'}?mode=ro", uri=True) as database:
        for tenant, wrapped in database.execute(
            "SELECT tenant, wrapped FROM data_key WHERE kind = ?", (kind.value,)
        ):
            key = root.unseal(wrapped, f"data-key|{tenant}|{kind}")
            sealers[tenant] = TenantSealer(key, TenantId(tenant), kind, randomness)
        for tenant, issuer, signing_key, block, month, size, sealed in database.execute(
            "SELECT b.tenant, b.issuer, i.signing_key, b.id, b.epoch, b.size, b.prf_key "
            "FROM serial_block b JOIN issuer i ON i.id = b.issuer"
        ):
            prf_key = sealers[tenant].unseal(sealed, block_context(BlockId(block)))
            found = SerialBlock(BlockId(block), month, size, prf_key)
            blocks.append((issuer, found, signing_key))
    return blocks


def serials(data: Path, table: str, issuer: str) -> list[int]:
    with sqlite3.connect(f"file:{data / 'tegata.sqlite'}?mode=ro", uri=True) as database:
        rows = database.execute(f"SELECT serial FROM {table} WHERE issuer = ?", (issuer,))
        return [int.from_bytes(row[0], "big") for row in rows]


def require_recorded(platform: Running, issued: Sequence[Issued]) -> None:
    for each in issued:
        recorded = platform.call("GET", f"/v1/certificates/{each.id}")["certificate"]
        assert x509.load_pem_x509_certificate(recorded.encode()) == each.certificate
        each.certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate(each.issuing.read_bytes())
        )


@pytest.mark.timeout(110)
def test_a_signer_killed_again_and_again_leaves_no_signature_unaccounted_for(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as platform:
        issuer = platform.context["issuer"]
        harvest = issue_while_the_signer_is_killed(platform)
        assert harvest.refused  # or nothing was tried
        assert {error.status for error in harvest.refused} == {503}
        assert len({each.serial for each in harvest.issued}) == len(harvest.issued)
        require_recorded(platform, harvest.issued)
        platform.kill()
    with running(tmp_path) as platform:
        # What was reserved and not recorded became void on the start.
        recorded = set(serials(platform.data, "certificate", issuer))
        revoked = set(serials(platform.data, "revocation", issuer))
        journal = (platform.data / "signer-reservations.jsonl").read_text().splitlines()
        entries = {entry["block"]: entry for entry in map(json.loads, journal)}
        reserved: set[int] = set()
        for owner, block, key in reserved_blocks(platform.data):
            entry = entries[block.id]
            assert (entry["key"], entry["month"], entry["size"]) == (key, block.month, block.size)
            if owner == issuer:
                reserved |= {block.serial(counter) for counter in range(block.size)}
        assert {each.serial for each in harvest.issued} <= recorded <= reserved
        assert reserved - recorded == revoked
        assert revoked
        assert platform.status(harvest.issued[-1]) == "good"
        listed = until(lambda: crl_listing(platform, revoked), RECOVERY_SECONDS, "the CRL")
        assert listed == revoked


def crl_listing(platform: Running, wanted: set[int]) -> set[int] | None:
    listed = {entry.serial_number for entry in platform.crl()}
    return listed if listed >= wanted else None


def test_status_comes_back_with_the_signer(tmp_path: Path) -> None:
    with running(tmp_path) as platform:
        issued = platform.issue()
        pid = platform.signer_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        def is_good() -> bool:
            try:
                return platform.status(issued) == "good"
            except ValueError:  # tryLater has no status
                return False

        until(is_good, RECOVERY_SECONDS, "an answer")
        assert platform.signer_pid() != pid


def test_a_hanging_signer_costs_an_answer_and_not_the_platform(tmp_path: Path) -> None:
    with running(tmp_path) as platform:
        issued = platform.issue()
        pid = platform.signer_pid()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            # What needs no signature is served meanwhile.
            recorded = platform.call("GET", f"/v1/certificates/{issued.id}")
            assert recorded["id"] == issued.id
            assert platform.crl().next_update_utc
        finally:
            os.kill(pid, signal.SIGCONT)
        assert platform.status(issued) == "good"


def test_the_signer_ends_when_the_platform_is_killed(tmp_path: Path) -> None:
    with running(tmp_path) as platform:
        pid = platform.signer_pid()
        assert pid is not None
        platform.kill()
        until(lambda: not is_alive(pid), GONE_SECONDS, "the signer's end")
    with running(tmp_path) as again:
        assert again.context["issuer"] == platform.context["issuer"]
