"""Negative acts: what a restored database must not take back (ADR 15).

A revocation, a dead token or a suspended tenant stands outside the database too, in the journal of
the node that did it, before it is acknowledged. So does every CRL number, which must not repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tegata.kernel.ids import NodeId, TenantId


class ActKind(StrEnum):
    """Kinds of acts that are journaled. A new one also needs its replay in `store/replay.py`."""

    CERTIFICATE_REVOKED = "certificate-revoked"
    CERTIFICATE_RELEASED = "certificate-released"
    TOKEN_REVOKED = "token-revoked"
    TENANT_SUSPENDED = "tenant-suspended"
    TENANT_RESUMED = "tenant-resumed"
    KEY_REFUSED = "key-refused"
    KEY_ALLOWED = "key-allowed"
    CRL_NUMBERED = "crl-numbered"
    ISSUANCE_STOPPED = "issuance-stopped"
    ISSUANCE_RESUMED = "issuance-resumed"
    TIMESTAMPING_DISABLED = "timestamping-disabled"


# Those that take an earlier act back: replayed only when they are known to have been done.
LIFTING = frozenset(
    {
        ActKind.CERTIFICATE_RELEASED,
        ActKind.TENANT_RESUMED,
        ActKind.ISSUANCE_RESUMED,
        ActKind.KEY_ALLOWED,
    }
)

Value = str | int | bytes | None


@dataclass(frozen=True, slots=True)
class NegativeAct:
    """An act with what is needed to do it again: ids, serials and instants (Unix time in
    milliseconds), never personal data. `subject` is what an audit event of it names."""

    kind: ActKind
    tenant: TenantId
    subject: str
    values: Mapping[str, Value]

    @property
    def lifts(self) -> bool:
        """Whether it takes an earlier act back."""
        return self.kind in LIFTING


@dataclass(frozen=True, slots=True)
class ActPlace:
    """Where an act stands: a node's journal, and its place there."""

    node: NodeId
    place: int
