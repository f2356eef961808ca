"""The anchors of a run: the platform's own authority, and those that the settings name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.main.bootstrap import PLATFORM_NAME
from tegata.main.composition import Platform
from tegata.main.settings import Settings, SettingsError
from tegata.outbound.tsa import HttpTimestampClient
from tegata.store.jobs import ANCHOR_JOB
from tegata.timestamping.anchoring import ANCHOR_RETRY, AnchorService, OwnAuthority
from tegata.timestamping.model import ExternalAuthority
from tegata.transparency.service import LogService


@dataclass(frozen=True, slots=True)
class AnchorRun:
    """Anchors while the platform runs."""

    service: AnchorService
    client: HttpTimestampClient
    period: timedelta

    async def turn(self) -> timedelta:
        """Have the newest checkpoint stamped; after what time again."""
        whole = await self.service.anchor()
        return self.period if whole else min(self.period, ANCHOR_RETRY)

    def close(self) -> None:
        """End."""
        self.client.close()


async def open_anchors(platform: Platform, settings: Settings, log: LogService) -> AnchorRun:
    """The anchors of this run; the first are due at once."""
    client = HttpTimestampClient()
    service = AnchorService(
        platform.store,
        platform.stamps,
        client,
        platform.stamps.clock,
        platform.randomness,
        lambda: log.published,
        await _own(platform),
        _external(settings),
    )
    now = platform.clock.now()
    await platform.jobs.want(ANCHOR_JOB, "log", PLATFORM_TENANT, now)
    return AnchorRun(service, client, settings.anchor_period)


async def _own(platform: Platform) -> OwnAuthority | None:
    scope = platform_acts(PLATFORM_TENANT, "anchor")
    found = await platform.store.find_timestamp_authority_named(scope, PLATFORM_NAME)
    if found is None:
        return None
    issuer = await platform.store.get_issuer(scope, found.issuer)
    return OwnAuthority(found.id, platform.store.timestamp_url(found.id), issuer.chain[-1])


def _external(settings: Settings) -> list[ExternalAuthority]:
    if not settings.tsa_urls:
        return []
    if settings.tsa_ca is None:
        raise SettingsError("--tsa-url needs --tsa-ca FILE: whom its tokens must lead to")
    try:
        found = x509.load_pem_x509_certificates(settings.tsa_ca.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{settings.tsa_ca}: {error}") from error
    anchors = tuple(each.public_bytes(Encoding.DER) for each in found)
    for url in settings.tsa_urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise SettingsError(f"{url}: --tsa-url is http://HOST/… or https://HOST/…")
    return [ExternalAuthority(url, anchors) for url in settings.tsa_urls]
