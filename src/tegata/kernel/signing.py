"""Signing keys as the rooms see them: handles, never secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tegata.kernel.ids import KeyId, TenantId


class KeyPurpose(StrEnum):
    """What a key may sign, checked by the signer process itself."""

    ROOT_CA = "root-ca"
    ISSUING_CA = "issuing-ca"
    OCSP_RESPONDER = "ocsp-responder"


class KeyAlgorithm(StrEnum):
    """Algorithms of keys the platform makes."""

    P256 = "p256"


class DataKeyKind(StrEnum):
    """The four data keys of a tenant, each with its own ground and end date."""

    ERASABLE = "erasable"
    CA_RECORDS = "ca-records"
    CONFIRMATION = "confirmation"
    DISCLOSURE = "disclosure"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key made by the signer: public part, and the sealed record that lets it be used.

    `sealed` holds purpose, tenant, subject and the private key (or its place in an HSM) under
    the sealing key, so nobody who stores it can change what it may sign.
    """

    id: KeyId
    tenant: TenantId
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    public_key: bytes
    sealed: bytes


class Sealer(Protocol):
    """Authenticated encryption under one tenant's data key."""

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Seal; `context` names the column and row, and must be given again to unseal."""
        ...

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Unseal, or raise ValueError when tenant, key kind, context or octets differ."""
        ...


class RefusalGround(StrEnum):
    """Why a key must not be certified."""

    # A certificate with it was revoked for keyCompromise.
    COMPROMISE = "compromise"
    # Somebody who may, said so.
    LISTED = "listed"
