"""Keys that are known to be bad: found before anything is reserved, whoever asks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import RefusalGround
from tegata.pkix.csr import CertificateRequest
from tegata.registration.model import RefusedKey
from tegata.registration.ports import KeyList, RefusedKeyStore


@dataclass(frozen=True, slots=True)
class Screened:
    """A key with nothing against it. `new_modulus` is to be recorded with its certificate."""

    spki_sha256: bytes
    new_modulus: bytes | None


@dataclass(frozen=True, slots=True)
class KeyScreening:
    """Refuses keys that lists, revocations or earlier requests speak against."""

    store: RefusedKeyStore
    listed: KeyList

    async def screen(self, scope: TenantScope, request: CertificateRequest) -> Screened:
        """The key of a request, or `Problem` with csr.compromised-key or csr.weak-key."""
        spki_sha256 = await self._screened(scope, request.public_key)
        if not isinstance(request.key, rsa.RSAPublicKey):
            return Screened(spki_sha256, None)
        modulus = modulus_octets(request.key.public_numbers().n)
        owner = await self.store.find_modulus(scope, hashlib.sha256(modulus).digest())
        if owner is None:
            return Screened(spki_sha256, modulus)
        if owner != spki_sha256:
            raise Problem(
                ProblemCode.CSR_WEAK_KEY, "another key with this modulus was certified before"
            )
        return Screened(spki_sha256, None)

    async def screen_key(self, scope: TenantScope, public_key: bytes) -> None:
        """`Problem(csr.compromised-key)` for a key (SubjectPublicKeyInfo) that a list or a
        revocation speaks against."""
        await self._screened(scope, public_key)

    async def _screened(self, scope: TenantScope, public_key: bytes) -> bytes:
        spki_sha256 = hashlib.sha256(public_key).digest()
        if self.listed.holds(spki_sha256):
            raise Problem(
                ProblemCode.CSR_COMPROMISED_KEY, "the key is on the list of compromised keys"
            )
        if await self.store.is_refused_key(scope, spki_sha256):
            raise Problem(
                ProblemCode.CSR_COMPROMISED_KEY,
                "the key was revoked for compromise, or is among the refused keys",
            )
        return spki_sha256


@dataclass(frozen=True, slots=True)
class RefusedKeyService:
    """What a tenant, or the operator for all tenants, refuses to have certified."""

    store: RefusedKeyStore
    clock: Clock

    async def refuse(
        self, scope: TenantScope, keys: Sequence[bytes], request_digest: bytes
    ) -> None:
        """Refuse keys (SHA-256 of their SubjectPublicKeyInfo) from now on; audited."""
        now = self.clock.now()
        async with self.store.open_unit(scope) as unit:
            for key in dict.fromkeys(keys):
                unit.add_refused_key(key, RefusalGround.LISTED, now)
            unit.audit(_event(scope, "add", request_digest, str(len(set(keys)))))
            await unit.commit()
        self.store.forget_refused_keys(scope.tenant)

    async def allow(self, scope: TenantScope, keys: Sequence[bytes], request_digest: bytes) -> None:
        """Refuse keys no more that the scope's tenant once listed: all of them or none; audited.

        Raises `Problem`: refused-key.unknown, or refused-key.final for a key that is refused for
        what happened to it.
        """
        chosen = list(dict.fromkeys(keys))
        found = [await self._listed(scope, key) for key in chosen]
        async with self.store.open_unit(scope) as unit:
            for each in found:
                unit.remove_refused_key(each)
            shown = " ".join(key.hex() for key in chosen)
            unit.audit(_event(scope, "allow", request_digest, shown))
            await unit.commit()

    async def _listed(self, scope: TenantScope, key: bytes) -> RefusedKey:
        found = await self.store.find_refused_key(scope, key)
        if found is None:
            raise Problem(ProblemCode.REFUSED_KEY_UNKNOWN, f"{key.hex()} is not on the list")
        if found.ground is not RefusalGround.LISTED:
            raise Problem(
                ProblemCode.REFUSED_KEY_FINAL, f"{key.hex()} is refused for {found.ground}"
            )
        return found

    async def list(self, scope: TenantScope, after: bytes, limit: int) -> Sequence[RefusedKey]:
        """The tenant's own refused keys, by digest."""
        return await self.store.list_refused_keys(scope, after, limit)

    async def record_list(self, keys: int, digest: bytes) -> None:
        """Record that a list of compromised keys is in use from now on on a node."""
        scope = platform_acts(PLATFORM_TENANT, "key-list")
        async with self.store.open_unit(scope) as unit:
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="registration:key-list:load",
                    decision=Decision.ALLOWED,
                    subject=f"key-list:{digest.hex()}",
                    request_digest=bytes(32),
                    private={"keys": str(keys)},
                )
            )
            await unit.commit()


def _event(scope: TenantScope, act: str, digest: bytes, keys: str) -> AuditEvent:
    return AuditEvent(
        actor=scope.actor,
        action=f"registration:refused-key:{act}",
        decision=Decision.ALLOWED,
        subject="refused-key:",
        request_digest=digest,
        private={"keys": keys},
    )


def modulus_octets(modulus: int) -> bytes:
    """A modulus, big-endian in as few octets as it takes."""
    return modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
