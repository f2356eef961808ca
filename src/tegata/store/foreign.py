"""What another CA had issued and revoked before it was taken over, as rows (ADR 18)."""

from __future__ import annotations

from sqlalchemy import bindparam, literal_column
from sqlalchemy.dialects.postgresql import insert as upsert

from tegata.issuance.index_file import TakenRevocation
from tegata.issuance.serials import serial_octets
from tegata.issuance.taken import TakenRecord
from tegata.kernel.ids import parse_certificate_id
from tegata.kernel.month import expiry_month
from tegata.pkix.crl import RevocationReason, encode_crl_entry
from tegata.revocation.model import Revocation
from tegata.store.instants import to_milliseconds
from tegata.store.issuance import IssuanceWrites
from tegata.store.schema import foreign_serial, revocation
from tegata.store.statement import Parameters, Statement

_KEY = ["tenant", "issuer", "serial"]
_inherit = upsert(revocation).values(
    {column.name: bindparam(column.name) for column in revocation.columns}
)
# What the journal brought back after a restore stands (ADR 15).
_INHERIT = Statement(_inherit.on_conflict_do_nothing(index_elements=_KEY))
# What is only on hold is revoked for good by a later act.
_INHERIT_LATER = Statement(
    _inherit.on_conflict_do_update(
        index_elements=_KEY,
        set_={name: _inherit.excluded[name] for name in ("reason", "entry", "invalid_since")},
        where=revocation.c.reason == literal_column(str(RevocationReason.CERTIFICATE_HOLD.number)),
    )
)


class ForeignWrites(IssuanceWrites):
    """Foreign serial numbers in a unit."""

    def record_taken(self, record: TakenRecord, octets: bytes) -> None:
        """Record a serial number that another CA gave, with its certificate and revocation."""
        tenant, serial = self.scope.tenant, serial_octets(record.serial)
        epoch = max(expiry_month(record.listed_until), 0)
        if record.certificate is not None:
            self.add_certificate(octets, record.certificate, record.names)
        self._insert(
            foreign_serial,
            tenant=tenant,
            issuer=record.issuer,
            serial=serial,
            epoch=epoch,
            shard=record.shard,
            not_after=to_milliseconds(record.listed_until),
        )
        if record.revoked is not None:
            inherited = _inherited(record, octets, record.revoked)
            self._execute(_INHERIT, {**inherited, "tenant": tenant, "epoch": epoch}, expect=None)

    def inherit_revocation(self, revoked: Revocation) -> None:
        """Revoke, or hold, what a CA had issued that is being taken over once more: a database was
        restored to before there was an issuer (ADR 15)."""
        certificate = parse_certificate_id(revoked.certificate) if revoked.certificate else None
        since = revoked.invalid_since
        self._execute(
            _INHERIT_LATER,
            {
                "tenant": self.scope.tenant,
                "issuer": revoked.issuer,
                "serial": serial_octets(revoked.serial),
                "epoch": max(expiry_month(revoked.listed_until), 0),
                "certificate": certificate,
                "revoked_at": to_milliseconds(revoked.revoked_at),
                "reason": revoked.reason.number,
                "entry": revoked.entry,
                "listed_until": to_milliseconds(revoked.listed_until),
                "invalid_since": to_milliseconds(since) if since is not None else None,
                "shard": revoked.shard,
                "change": 0,
            },
            expect=None,
        )


def _inherited(record: TakenRecord, octets: bytes, revoked: TakenRevocation) -> Parameters:
    since = revoked.invalid_since
    return {
        "issuer": record.issuer,
        "serial": serial_octets(record.serial),
        "certificate": octets if record.certificate is not None else None,
        "revoked_at": to_milliseconds(revoked.revoked_at),
        "reason": revoked.reason.number,
        "entry": encode_crl_entry(record.serial, revoked.revoked_at, revoked.reason, since),
        "listed_until": to_milliseconds(record.listed_until),
        "invalid_since": to_milliseconds(since) if since is not None else None,
        "shard": record.shard,
        # Before every change here: the first full list contains it, no delta need say it.
        "change": 0,
    }
