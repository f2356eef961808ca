"""What an operator decides when starting the platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from tegata.outbound.smtp import SmtpServer
from tegata.registration.notice import is_mail_address
from tegata.store.disk import DEFAULT_RESERVE, MEBIBYTE
from tegata.store.journal import JOURNAL_DAYS
from tegata.timestamping.anchoring import ANCHOR_PERIOD
from tegata.timestamping.model import ClockTrust

# Seconds within which a request must be whole.
REQUEST_TIMEOUT = 15.0
# Octets of pre-signed OCSP answers kept in memory: some 40,000.
STATUS_MEMORY = 128 * MEBIBYTE


class SettingsError(Exception):
    """The platform must not start like this; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds. Port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """``host:port``, with an IPv6 host in brackets."""
        host, separator, port = text.rpartition(":")
        if not separator or not port.isdigit() or int(port) > 65_535:
            raise SettingsError(f"{text}: an address is HOST:PORT")
        return cls(host.strip("[]"), int(port))

    def url_host(self) -> str:
        """The host as a URL writes it."""
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True, slots=True)
class Pkcs11Settings:
    """A token that holds the signing keys."""

    module: str
    token: str
    pin_file: Path


def parse_smtp(
    url: str | None,
    sender: str | None,
    user: str | None,
    password_file: Path | None,
    ca_file: Path | None,
) -> SmtpServer | None:
    """The mail server that a URL names: ``smtp://host:port`` or ``smtps://host:port``."""
    if url is None:
        if sender or user or password_file or ca_file:
            raise SettingsError("--smtp-… options need --smtp URL")
        return None
    parts = urlsplit(url)
    ports = {"smtp": 587, "smtps": 465}
    try:
        port = parts.port or ports[parts.scheme]
    except (ValueError, KeyError) as error:
        raise SettingsError(f"{url}: --smtp is smtp://HOST:PORT or smtps://HOST:PORT") from error
    if not parts.hostname or parts.path.strip("/") or parts.username or parts.query:
        raise SettingsError(f"{url}: --smtp is smtp://HOST:PORT or smtps://HOST:PORT")
    if sender is None or not is_mail_address(sender):
        raise SettingsError("--smtp needs --smtp-from ADDRESS")
    if (user is None) != (password_file is None):
        raise SettingsError("--smtp-user and --smtp-password-file belong together")
    tls = parts.scheme == "smtps"
    return SmtpServer(parts.hostname, port, tls, sender, user, password_file, ca_file)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run depends on."""

    data: Path
    listen: Address
    public_listen: Address
    public_url: str | None = None
    database: str | None = None
    demo: bool = False
    production: bool = False
    sealing_key: Path | None = None
    pkcs11: Pkcs11Settings | None = None
    key_list: Path | None = None
    disk_reserve: int = DEFAULT_RESERVE
    status_memory: int = STATUS_MEMORY
    request_timeout: float = REQUEST_TIMEOUT
    journal: Path | None = None
    journal_days: int = JOURNAL_DAYS
    accept_journal_loss: bool = False
    write_off_nodes: tuple[str, ...] = ()
    smtp: SmtpServer | None = None
    clock_trust: ClockTrust | None = None
    tsa_urls: tuple[str, ...] = ()
    tsa_ca: Path | None = None
    anchor_period: timedelta = ANCHOR_PERIOD
    loopback_webhooks: bool = False
    log_mirror: Path | None = None
    log_policy: Path | None = None
    names: tuple[str, ...] = field(default=())

    @property
    def clock_trusted(self) -> ClockTrust:
        """What makes the clock trusted where nobody said: only a demo takes it as it is."""
        return self.clock_trust or (ClockTrust.ASSUMED if self.demo else ClockTrust.KERNEL)

    @property
    def log_folder(self) -> Path:
        """Where the Merkle log is mirrored: beside the second journal unless told otherwise, so
        that a restored database finds there what it lacks."""
        return self.log_mirror or (self.journal or self.data) / "log-mirror"

    @property
    def sealing_key_file(self) -> Path:
        """Where the key that seals all others is kept."""
        return self.sealing_key or self.data / "sealing.key"


def require_safe(settings: Settings) -> None:
    """Refuse what production must not do; `SettingsError` says what to change."""
    if settings.loopback_webhooks and not settings.demo:
        raise SettingsError("--loopback-webhooks goes with --demo only")
    if not settings.production:
        return
    if settings.demo:
        raise SettingsError("production has no demo tenant: leave out --demo")
    if settings.pkcs11 is not None:
        return
    if settings.sealing_key is None or not settings.sealing_key.exists():
        raise SettingsError("production needs --sealing-key FILE, made on another volume")
    if settings.sealing_key.stat().st_dev == settings.data.stat().st_dev:
        raise SettingsError(
            "the sealing key lies on the same volume as the keys that it seals: move it to "
            "another volume, which no backup of the data holds"
        )
