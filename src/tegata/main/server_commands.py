"""The server commands of `tegata`."""

from __future__ import annotations

import gc
import json
import logging
import os
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

import click
import psycopg
import uvloop

from tegata.kernel.problem import Problem
from tegata.main.backup import back_up, mark_restored, restore
from tegata.main.quickstart import print_quick_start
from tegata.main.serve import serve
from tegata.main.settings import (
    REQUEST_TIMEOUT,
    Address,
    Pkcs11Settings,
    Settings,
    SettingsError,
    parse_smtp,
)
from tegata.operations.model import RestoreRefused
from tegata.outbound.system import SystemClock
from tegata.store.disk import MEBIBYTE
from tegata.store.inventory import InventoryError
from tegata.store.journal import JOURNAL_DAYS
from tegata.store.key_list import KeyListError, build_key_list
from tegata.timestamping.model import ClockTrust


@click.command("serve")
@click.option("--demo", is_flag=True, help="Open a demo tenant with a root and an issuing CA.")
@click.option("--production", is_flag=True, help="Refuse what production must not do.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The data folder.")
@click.option("--listen", default="127.0.0.1:8443", show_default=True, help="API, over TLS.")
@click.option(
    "--public-listen", default="127.0.0.1:8080", show_default=True, help="OCSP and CRLs, plain."
)
@click.option("--public-url", help="How relying parties reach the public listener.")
@click.option("--database", envvar="TEGATA_DATABASE", help="PostgreSQL; SQLite if left out.")
@click.option(
    "--sealing-key", type=click.Path(path_type=Path), help="The file of the key that seals keys."
)
@click.option("--pkcs11-module", help="Keep signing keys in a PKCS#11 token: its module.")
@click.option("--pkcs11-token", help="The token's label.")
@click.option("--pkcs11-pin-file", type=click.Path(path_type=Path), help="A file with its PIN.")
@click.option(
    "--key-list", type=click.Path(path_type=Path), help="A list of compromised keys to refuse."
)
@click.option(
    "--disk-reserve", default=64, show_default=True, help="MiB kept free for revocations."
)
@click.option(
    "--status-memory", default=128, show_default=True, help="MiB of OCSP answers kept in memory."
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="A second folder for this node's journal of negative acts, on another volume.",
)
@click.option(
    "--journal-days",
    default=JOURNAL_DAYS,
    show_default=True,
    help="How old a backup may be when it is restored.",
)
@click.option(
    "--accept-journal-loss",
    is_flag=True,
    help="Start although the journal cannot vouch for the database; recorded.",
)
@click.option(
    "--write-off-node",
    "write_off_nodes",
    multiple=True,
    help="Wait no longer for the journal of a node that is gone; recorded.",
)
@click.option(
    "--log-mirror",
    type=click.Path(path_type=Path),
    help="A folder that mirrors the Merkle log as static files.",
)
@click.option(
    "--log-policy",
    type=click.Path(path_type=Path),
    help="A tlog-policy file; its witnesses are asked to cosign.",
)
@click.option("--smtp", help="A mail server: smtp://HOST:PORT (STARTTLS) or smtps://HOST:PORT.")
@click.option("--smtp-from", help="The address that notices come from.")
@click.option("--smtp-user", help="The name to log in with.")
@click.option("--smtp-password-file", type=click.Path(path_type=Path), help="Its password.")
@click.option("--smtp-ca", type=click.Path(path_type=Path), help="Whom to trust, in PEM.")
@click.option(
    "--clock-trust",
    type=click.Choice([each.value for each in ClockTrust]),
    help="What makes the clock good enough for time-stamps; kernel, with --demo assumed.",
)
@click.option(
    "--tsa-url",
    "tsa_urls",
    multiple=True,
    help="Somebody else's time-stamping authority, to stamp the log's checkpoints too.",
)
@click.option(
    "--tsa-ca", type=click.Path(path_type=Path), help="Whom their tokens must lead to, in PEM."
)
@click.option("--anchor-seconds", type=float, default=3600.0, hidden=True)
@click.option(
    "--loopback-webhooks", is_flag=True, help="Send webhooks to this machine too; with --demo only."
)
@click.option("--request-timeout", type=float, default=REQUEST_TIMEOUT, hidden=True)
def serve_command(
    *,
    demo: bool,
    production: bool,
    data: Path,
    listen: str,
    public_listen: str,
    public_url: str | None,
    database: str | None,
    sealing_key: Path | None,
    pkcs11_module: str | None,
    pkcs11_token: str | None,
    pkcs11_pin_file: Path | None,
    key_list: Path | None,
    disk_reserve: int,
    status_memory: int,
    journal: Path | None,
    journal_days: int,
    accept_journal_loss: bool,
    write_off_nodes: tuple[str, ...],
    smtp: str | None,
    smtp_from: str | None,
    smtp_user: str | None,
    smtp_password_file: Path | None,
    smtp_ca: Path | None,
    clock_trust: str | None,
    tsa_urls: tuple[str, ...],
    tsa_ca: Path | None,
    anchor_seconds: float,
    loopback_webhooks: bool,
    log_mirror: Path | None,
    log_policy: Path | None,
    request_timeout: float,
) -> None:
    """Run the platform; print one JSON line when ready."""
    try:
        settings = Settings(
            data=data,
            listen=Address.parse(listen),
            public_listen=Address.parse(public_listen),
            public_url=public_url,
            database=database,
            demo=demo,
            production=production,
            sealing_key=sealing_key,
            pkcs11=_pkcs11(pkcs11_module, pkcs11_token, pkcs11_pin_file),
            key_list=key_list,
            disk_reserve=disk_reserve * MEBIBYTE,
            status_memory=status_memory * MEBIBYTE,
            journal=journal,
            journal_days=journal_days,
            accept_journal_loss=accept_journal_loss,
            write_off_nodes=write_off_nodes,
            smtp=parse_smtp(smtp, smtp_from, smtp_user, smtp_password_file, smtp_ca),
            clock_trust=ClockTrust(clock_trust) if clock_trust is not None else None,
            loopback_webhooks=loopback_webhooks,
            log_mirror=log_mirror,
            log_policy=log_policy,
            tsa_urls=tsa_urls,
            tsa_ca=tsa_ca,
            anchor_period=timedelta(seconds=anchor_seconds),
            request_timeout=request_timeout,
        )
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    _run(settings, announce=True)


@click.command("run")
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True
)
@click.option("--listen", default="127.0.0.1:8443", show_default=True, help="API, over TLS.")
@click.option(
    "--public-listen", default="127.0.0.1:8080", show_default=True, help="OCSP and CRLs, plain."
)
def run_command(data: Path, listen: str, public_listen: str) -> None:
    """Run the platform with a demo tenant, and print a quick start."""
    try:
        settings = Settings(
            data=data,
            listen=Address.parse(listen),
            public_listen=Address.parse(public_listen),
            demo=True,
        )
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    _run(settings, announce=False)


@click.command("key-list")
@click.argument("sources", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="For --key-list of serve."
)
def key_list_command(sources: tuple[Path, ...], output: Path) -> None:
    """Make a list of compromised keys of files, or folders of them, with a SHA-256 of a
    SubjectPublicKeyInfo in hexadecimal on each line."""
    try:
        facts = build_key_list(sources, output)
    except (KeyListError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps({"keys": facts.keys, "sha256": facts.digest.hex()}))


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
def backup_command(target: Path, data: Path) -> None:
    """Copy the SQLite database of a data folder into TARGET. The platform may run."""
    os.umask(0o077)
    try:
        manifest = back_up(data, target, SystemClock())
    except (SettingsError, ValueError, OSError, sqlite3.Error) as error:
        raise click.ClickException(str(error)) from error
    click.echo(manifest.read_text(), nl=False)


@click.command("restore")
@click.argument("source", type=click.Path(path_type=Path, exists=True), required=False)
@click.option("--data", type=click.Path(path_type=Path), help="The data folder, for SOURCE.")
@click.option(
    "--database",
    envvar="TEGATA_DATABASE",
    help="PostgreSQL: mark as restored what its own tools have brought back.",
)
def restore_command(source: Path | None, data: Path | None, database: str | None) -> None:
    """Put the backup in SOURCE back. The platform must not run.

    The next start brings back every revocation that was made since.
    """
    os.umask(0o077)
    try:
        if source is not None and data is not None:
            click.echo(f"restored: the backup of {restore(source, data)}")
        elif source is None and data is None and database is not None:
            mark_restored(database)
            click.echo("marked as restored")
        else:
            raise click.UsageError("SOURCE with --data, or --database alone")
    except (SettingsError, ValueError, OSError, sqlite3.Error, psycopg.Error) as error:
        raise click.ClickException(str(error)) from error


def _pkcs11(module: str | None, token: str | None, pin_file: Path | None) -> Pkcs11Settings | None:
    if module is None and token is None and pin_file is None:
        return None
    if module is None or token is None or pin_file is None:
        raise SettingsError("a token needs --pkcs11-module, --pkcs11-token and --pkcs11-pin-file")
    return Pkcs11Settings(module, token, pin_file)


def _run(settings: Settings, *, announce: bool) -> None:
    os.umask(0o077)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    ready = None if announce else print_quick_start
    # What lives from the start lives to the end: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        uvloop.run(serve(settings, ready))
    except (SettingsError, InventoryError, RestoreRefused, Problem, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
