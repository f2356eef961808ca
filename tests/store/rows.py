"""Rows that tests write."""

from sqlalchemy import bindparam, select, update

from tegata.kernel.ids import TenantId
from tegata.store.schema import certificate, certificate_der, certificate_name, token
from tegata.store.statement import Statement
from tests.fakes.unit import FreeUnit

EPOCH = 320

TOKENS = Statement(
    select(token.c.id).where(token.c.tenant == bindparam("tenant")).order_by(token.c.id)
)
RENAME = Statement(
    update(token)
    .where(token.c.tenant == bindparam("tenant"), token.c.id == bindparam("wanted"))
    .values(name=bindparam("new_name"))
)


def add_token(unit: FreeUnit, identifier: str, tenant: TenantId | None = None) -> None:
    """A token of the unit's tenant, or of another one."""
    unit.insert(
        token,
        tenant=tenant or unit.scope.tenant,
        id=identifier,
        name="a name",
        kind="tenant",
        secret_hash=b"\x00\xff",
        issuers=None,
        actions="issue",
        created_at=1_784_000_000_000,
        revoked_at=None,
    )


def add_certificate(unit: FreeUnit, number: int, epoch: int = EPOCH) -> None:
    """A certificate in its three tables."""
    identifier = number.to_bytes(16, "big")
    tenant = unit.scope.tenant
    unit.insert(
        certificate,
        tenant=tenant,
        id=identifier,
        epoch=epoch,
        issuer="iss_one",
        serial=tenant.encode() + number.to_bytes(20, "big"),
        profile="tls-server",
        profile_version=1,
        subject="CN=www.example.com",
        not_before=1_784_000_000_000,
        not_after=1_792_000_000_000,
        shard=1,
        fingerprint=number,
    )
    unit.insert(
        certificate_name,
        tenant=tenant,
        name="com.example.www",
        certificate=identifier,
        epoch=epoch,
    )
    unit.insert(
        certificate_der,
        tenant=tenant,
        certificate=tenant.encode() + identifier,
        epoch=epoch,
        der=bytes(752),
    )
