"""What the journal keeps of each kind of negative act: enough to do it again (ADR 15)."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from tegata.issuance.model import Stop, StopCause
from tegata.issuance.serials import serial_octets, serial_text
from tegata.kernel.ids import (
    CertificateId,
    IssuerId,
    TenantId,
    TimestampAuthorityId,
    TokenId,
)
from tegata.kernel.negative import ActKind, NegativeAct, Value
from tegata.kernel.signing import RefusalGround
from tegata.pkix.crl import REASON_BY_NUMBER
from tegata.registration.model import RefusedKey
from tegata.revocation.model import Release, Revocation
from tegata.store.instants import from_milliseconds, to_milliseconds
from tegata.tenancy.model import TenantState

V = TypeVar("V")


def revoked_act(tenant: TenantId, revoked: Revocation) -> NegativeAct:
    """A certificate is revoked, or held."""
    subject = f"certificate:{revoked.certificate or serial_text(revoked.serial)}"
    return NegativeAct(
        ActKind.CERTIFICATE_REVOKED,
        tenant,
        subject,
        {
            "issuer": revoked.issuer,
            "serial": serial_octets(revoked.serial),
            "certificate": revoked.certificate,
            "revoked_at": to_milliseconds(revoked.revoked_at),
            "reason": revoked.reason.number,
            "entry": revoked.entry,
            "listed_until": to_milliseconds(revoked.listed_until),
            "shard": revoked.shard,
            "invalid_since": (
                to_milliseconds(revoked.invalid_since) if revoked.invalid_since else None
            ),
        },
    )


def revocation_from(act: NegativeAct) -> Revocation:
    """The revocation of an act."""
    certificate, invalid_since = act.values["certificate"], act.values["invalid_since"]
    return Revocation(
        issuer=IssuerId(text(act, "issuer")),
        serial=int.from_bytes(octets(act, "serial"), "big"),
        certificate=CertificateId(str(certificate)) if certificate is not None else None,
        revoked_at=from_milliseconds(number(act, "revoked_at")),
        reason=REASON_BY_NUMBER[number(act, "reason")],
        entry=octets(act, "entry"),
        listed_until=from_milliseconds(number(act, "listed_until")),
        shard=number(act, "shard"),
        invalid_since=(
            from_milliseconds(number(act, "invalid_since")) if invalid_since is not None else None
        ),
    )


def released_act(tenant: TenantId, release: Release) -> NegativeAct:
    """The hold of a certificate is taken back: this one, not a later one of the same."""
    return NegativeAct(
        ActKind.CERTIFICATE_RELEASED,
        tenant,
        f"certificate:{release.certificate}",
        {
            "issuer": release.issuer,
            "serial": serial_octets(release.serial),
            "certificate": release.certificate,
            "held_since": to_milliseconds(release.held_since),
            "released_at": to_milliseconds(release.released_at),
            "entry": release.entry,
            "shard": release.shard,
        },
    )


def release_from(act: NegativeAct) -> Release:
    """The release of an act."""
    return Release(
        issuer=IssuerId(text(act, "issuer")),
        serial=int.from_bytes(octets(act, "serial"), "big"),
        certificate=CertificateId(text(act, "certificate")),
        held_since=from_milliseconds(number(act, "held_since")),
        released_at=from_milliseconds(number(act, "released_at")),
        entry=octets(act, "entry"),
        shard=number(act, "shard"),
    )


def token_act(tenant: TenantId, token: TokenId, now: datetime) -> NegativeAct:
    """A token is dead."""
    values: dict[str, Value] = {"token": token, "revoked_at": to_milliseconds(now)}
    return NegativeAct(ActKind.TOKEN_REVOKED, tenant, f"token:{token}", values)


def refused_key_act(
    tenant: TenantId, spki_sha256: bytes, ground: RefusalGround, now: datetime
) -> NegativeAct:
    """A key is refused from now on."""
    values: dict[str, Value] = {
        "key": spki_sha256,
        "ground": ground.value,
        "refused_at": to_milliseconds(now),
    }
    return NegativeAct(ActKind.KEY_REFUSED, tenant, f"refused-key:{spki_sha256.hex()}", values)


def allowed_key_act(tenant: TenantId, key: RefusedKey) -> NegativeAct:
    """A key is refused no more: by this refusal, not by a later one."""
    values: dict[str, Value] = {
        "key": key.spki_sha256,
        "refused_at": to_milliseconds(key.since),
    }
    subject = f"refused-key:{key.spki_sha256.hex()}"
    return NegativeAct(ActKind.KEY_ALLOWED, tenant, subject, values)


def state_act(tenant: TenantId, state: TenantState, *, resumed: bool) -> NegativeAct | None:
    """A tenant is suspended, or works again; None for other changes."""
    if state is TenantState.SUSPENDED:
        return NegativeAct(ActKind.TENANT_SUSPENDED, tenant, f"tenant:{tenant}", {})
    if state is TenantState.ACTIVE and resumed:
        return NegativeAct(ActKind.TENANT_RESUMED, tenant, f"tenant:{tenant}", {})
    return None


def numbered_act(tenant: TenantId, issuer: IssuerId, crl_number: int) -> NegativeAct:
    """A CRL number is used (of whatever scope: after a restore all go on above the highest)."""
    values: dict[str, Value] = {"issuer": issuer, "number": crl_number}
    return NegativeAct(ActKind.CRL_NUMBERED, tenant, f"crl:{issuer}/{crl_number}", values)


def stop_act(stop: Stop, *, lifted: bool) -> NegativeAct:
    """An issuer, a tenant or everybody is to issue nothing, or may again."""
    values: dict[str, Value] = {
        "stopped_tenant": stop.tenant or "",
        "issuer": stop.issuer or "",
        "cause": stop.cause.value,
        "since": to_milliseconds(stop.since),
    }
    kind = ActKind.ISSUANCE_RESUMED if lifted else ActKind.ISSUANCE_STOPPED
    subject = f"issuance-stop:{stop.tenant or ''}/{stop.issuer or ''}/{stop.cause}"
    return NegativeAct(kind, stop.owner, subject, values)


def stop_from(act: NegativeAct) -> Stop:
    """The stop of an act."""
    return Stop(
        owner=act.tenant,
        tenant=TenantId(text(act, "stopped_tenant")) or None,
        issuer=IssuerId(text(act, "issuer")) or None,
        cause=StopCause(text(act, "cause")),
        since=from_milliseconds(number(act, "since")),
    )


def disabled_act(tenant: TenantId, authority: TimestampAuthorityId, now: datetime) -> NegativeAct:
    """A time-stamping authority stamps no more."""
    values: dict[str, Value] = {"authority": authority, "disabled_at": to_milliseconds(now)}
    subject = f"timestamp-authority:{authority}"
    return NegativeAct(ActKind.TIMESTAMPING_DISABLED, tenant, subject, values)


def text(act: NegativeAct, name: str) -> str:
    """A value that is text."""
    return _of(str, act, name)


def number(act: NegativeAct, name: str) -> int:
    """A value that is a number."""
    return _of(int, act, name)


def octets(act: NegativeAct, name: str) -> bytes:
    """A value that is octets."""
    return _of(bytes, act, name)


def _of(kind: type[V], act: NegativeAct, name: str) -> V:
    value = act.values[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} of {act.kind} is no {kind.__name__}")
    return value
