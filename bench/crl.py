"""CRLs under measurement: a complete list of many entries, and how soon a shard tells.

The list is made by a running platform on SQLite, from rows put into its store; `openssl ca
-gencrl` makes one of as many entries in the same run. Revocations come over HTTPS while an
onlooker fetches the shard's list over HTTP.
"""

from __future__ import annotations

import json
import os
import sqlite3
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from bench.issuing import issue_plan, requests_for
from bench.platform import Running, cpu_seconds, running
from tegata.issuance.shards import SHARD_PLACES
from tegata.kernel.month import month_start
from tegata.pkix.crl import RevocationReason, encode_crl_entry
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.store.schema import revocation
from tegata.store.statement import sqlite_insert

REVOCATIONS_A_SECOND = 10
_MONTH = (time.gmtime().tm_year - 2000) * 12 + time.gmtime().tm_mon + 2


@dataclass(frozen=True, slots=True)
class CrlFigures:
    """`seconds` are of processor time, the platform's two processes together; `mebibytes` the
    sum of their greatest memory. Delays are from the answer to a revocation until it was read in
    the shard's published list."""

    entries: int
    octets: int
    seconds: float
    wall: float
    mebibytes: float
    openssl_seconds: float
    openssl_mebibytes: float
    revocations: int
    delay_median: float
    delay_greatest: float


def bench_crl(folder: Path, entries: int, revocations: int = 300) -> CrlFigures:
    """Run both measurements."""
    data = folder / "crl"
    with running(data) as run:
        context = run.context
    _preload(data, context["tenant"], context["issuer"], entries)
    with running(data) as run:
        seconds, wall, memory, octets = _complete(run, data, entries)
        delays = _shard_delays(run, revocations)
    openssl_seconds, openssl_memory = _openssl(folder / "openssl", entries)
    figures = CrlFigures(
        entries,
        octets,
        seconds,
        wall,
        memory,
        openssl_seconds,
        openssl_memory,
        len(delays),
        delays[len(delays) // 2],
        delays[-1],
    )
    print(
        f"CRL of {entries} entries ({octets / 1e6:.1f} MB): {seconds:.2f} s of processor time, "
        f"{wall:.1f} s, {memory:.0f} MiB; openssl ca -gencrl {openssl_seconds:.2f} s, "
        f"{openssl_memory:.0f} MiB\n"
        f"revocation to published shard at {REVOCATIONS_A_SECOND}/s, {len(delays)} of them: "
        f"median {figures.delay_median:.2f} s, greatest {figures.delay_greatest:.2f} s",
        flush=True,
    )
    return figures


def _preload(data: Path, tenant: str, issuer: str, count: int) -> None:
    """Revoked serials in full shards, as they stand after a tenant revoked everything."""
    now = from_milliseconds(int(time.time()) * 1000)
    listed_until = to_milliseconds(month_start(_MONTH + 1))
    head = b"\x00\x01" + _MONTH.to_bytes(2, "big")
    serials = sorted(head + os.urandom(16) for _ in range(count))
    connection = sqlite3.connect(data / "tegata.sqlite", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    (changes,) = connection.execute(
        "SELECT changes FROM crl_scope WHERE issuer = ? AND shard = 0", (issuer,)
    ).fetchone()
    connection.execute("BEGIN")
    connection.executemany(
        sqlite_insert(revocation),
        (
            (tenant, issuer, serial, _MONTH, None, to_milliseconds(now), 1,
             encode_crl_entry(int.from_bytes(serial, "big"), now, RevocationReason.KEY_COMPROMISE),
             listed_until, None, 1000 + number // SHARD_PLACES, changes + 1 + number)
            for number, serial in enumerate(serials)
        ),
    )  # fmt: skip
    connection.execute(
        "UPDATE crl_scope SET changes = ? WHERE issuer = ? AND shard = 0",
        (changes + count, issuer),
    )
    # The next start is not to make the list before it is measured.
    connection.execute("UPDATE job SET run_at = ? WHERE kind = 'crl.publish'", (1 << 60,))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("ANALYZE")
    connection.close()


def _complete(run: Running, data: Path, entries: int) -> tuple[float, float, float, int]:
    """Have the complete list made; processor seconds, seconds, memory and its size."""
    _settle(run)
    for pid in run.pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    connection = sqlite3.connect(data / "tegata.sqlite", isolation_level=None, timeout=30)
    before, begun = cpu_seconds(run.pids), time.perf_counter()
    connection.execute(
        "UPDATE job SET run_at = 0 WHERE kind = 'crl.publish' AND key = ?",
        (run.context["issuer"],),
    )
    newest = (
        "SELECT entries, length(der) FROM crl WHERE issuer = ? AND shard = 0 AND kind = 'full' "
        "ORDER BY number DESC LIMIT 1"
    )
    while True:
        time.sleep(0.05)
        found, octets = connection.execute(newest, (run.context["issuer"],)).fetchone()
        if found >= entries:
            break
    wall = time.perf_counter() - begun
    seconds = cpu_seconds(run.pids) - before
    memory = sum(_greatest_memory(pid) for pid in run.pids)
    connection.close()
    _settle(run)
    return seconds, wall, memory, octets


def _settle(run: Running) -> None:
    """Wait until the platform does next to nothing."""
    while True:
        before = cpu_seconds(run.pids)
        time.sleep(2)
        if cpu_seconds(run.pids) - before < 0.1:
            return


def _greatest_memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _shard_delays(run: Running, count: int) -> Sequence[float]:
    """Revoke at a steady rate; the seconds until each stood in the list, sorted."""
    bodies = issue_plan(run, requests_for(16))["bodies"]
    issued = [_call(run, "/v1/certificates", bodies[number % 16]) for number in range(count)]
    urls = {answer["crl_url"] for answer in issued}
    seen: dict[int, float] = {}
    done = threading.Event()

    def look_on() -> None:
        tags: dict[str, str] = {}
        while not done.is_set():
            for url in urls:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    if answer.headers["etag"] == tags.get(url):
                        continue
                    tags[url] = answer.headers["etag"]
                    octets = answer.read()
                at = time.perf_counter()
                for entry in x509.load_der_x509_crl(octets):
                    seen.setdefault(entry.serial_number, at)
            done.wait(0.1)

    onlooker = threading.Thread(target=look_on)
    onlooker.start()
    revoked: dict[int, float] = {}
    begun = time.perf_counter()
    for number, answer in enumerate(issued):
        time.sleep(max(0.0, begun + number / REVOCATIONS_A_SECOND - time.perf_counter()))
        _call(run, f"/v1/certificates/{answer['id']}/revoke", '{"reason": "superseded"}')
        revoked[int(answer["serial"], 16)] = time.perf_counter()
    deadline = time.perf_counter() + 30
    while not revoked.keys() <= seen.keys() and time.perf_counter() < deadline:
        time.sleep(0.1)
    done.set()
    onlooker.join()
    if not revoked.keys() <= seen.keys():
        raise SystemExit("revocations are missing in their shard's list")
    return sorted(max(seen[serial] - at, 0.0) for serial, at in revoked.items())


def _call(run: Running, path: str, body: str) -> dict[str, Any]:
    token = Path(run.context["token_file"]).read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(run.context["api"] + path, body.encode(), headers)
    tls = ssl.create_default_context(cafile=run.context["tls_ca"])
    with urllib.request.urlopen(request, timeout=30, context=tls) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def _openssl(folder: Path, entries: int) -> tuple[float, float]:
    """Processor seconds and mebibytes of `openssl ca -gencrl` for as many entries."""
    folder.mkdir()
    with (folder / "index.txt").open("w") as index:
        index.writelines(
            f"R\t301231235959Z\t261101000000Z,keyCompromise\t01{os.urandom(18).hex().upper()}"
            f"\tunknown\t/CN=host{number}\n"
            for number in range(entries)
        )
    (folder / "crlnumber").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n"
        "default_crl_days=7\ncertificate=ca.pem\nprivate_key=ca.key\ncrl_extensions=x\n"
        "unique_subject=no\n[x]\nauthorityKeyIdentifier=keyid\n"
    )
    make = (
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "30",
    )  # fmt: skip
    subprocess.run(["openssl", *make], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    command = ("ca", "-gencrl", "-config", "ca.cnf", "-out", "crl.pem")
    with subprocess.Popen(["openssl", *command], cwd=folder, stderr=subprocess.PIPE) as process:
        _pid, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        if process.returncode:
            assert process.stderr is not None
            raise SystemExit(process.stderr.read().decode())
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
