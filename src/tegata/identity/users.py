"""Users as a tenant knows them: a pseudonym of its own for each person, and nothing else.

A user id is a keyed function of the oldest certificate that J-LIS links to the one shown, under a
secret of the tenant in the key store. So it is the same for both certificates of a person and over
renewals, another for every tenant, and says nothing without the secret. Once given it is looked up
and not computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tegata.identity.jlis import CertificateReference, GatewayError, LegalPurpose
from tegata.identity.model import UserId
from tegata.identity.ports import IdentityStore, IdentityVault, JLisGateway
from tegata.identity.record import KnownCertificate
from tegata.identity.verification import Examined
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Person:
    """Who was identified: the tenant's user, the tag of the certificate shown, and what became
    known of the user's certificates."""

    user: UserId
    tag: bytes
    new: Sequence[KnownCertificate]


@dataclass(frozen=True, slots=True)
class UserService:
    """Finds the user that a certificate belongs to."""

    store: IdentityStore
    gateway: JLisGateway
    clock: Clock

    async def identify(
        self,
        scope: TenantScope,
        vault: IdentityVault,
        examined: Examined,
        purpose: LegalPurpose,
    ) -> Person:
        """The user of an examined certificate.

        `Problem(gateway.unavailable)` when a certificate that was never seen cannot be linked: a
        second pseudonym for the same person would not go away again.
        """
        certificate, authority = examined.certificate, examined.authority
        if certificate is None or authority is None:
            raise Problem(ProblemCode.SUBMISSION_MISMATCH, "no certificate was examined")
        shown = CertificateReference(
            authority.kind, authority.key_identifier, certificate.tbs.serial
        )
        tag = vault.tag(shown)
        known = await self.store.find_users(scope, [tag])
        if tag in known:
            user = known[tag].user
            if known[tag].shown:
                return Person(user, tag, ())
            # J-LIS linked it to another one earlier; now it was shown.
            point = certificate.distribution_point
            now = self.clock.now()
            return Person(user, tag, (KnownCertificate(tag, user, shown, point, now),))
        return await self._link(scope, vault, shown, certificate.distribution_point, purpose)

    async def _link(
        self,
        scope: TenantScope,
        vault: IdentityVault,
        shown: CertificateReference,
        point: bytes,
        purpose: LegalPurpose,
    ) -> Person:
        """The user of a certificate that was never seen, by those that it is linked to."""
        try:
            linked = await self.gateway.linked_certificates(shown, purpose)
        except GatewayError as error:
            raise Problem(ProblemCode.GATEWAY_UNAVAILABLE, "links cannot be asked for") from error
        family = linked if shown in linked else [*linked, shown]
        tags = {vault.tag(each): each for each in family}
        known = await self.store.find_users(scope, list(tags))
        # The earliest one known decides, should two have become known apart.
        earlier = next((known[each] for each in tags if each in known), None)
        user = vault.user_id(family[0]) if earlier is None else earlier.user
        now = self.clock.now()
        new = [
            KnownCertificate(
                each,
                user,
                reference,
                point if reference == shown else b"",
                now,
            )
            for each, reference in tags.items()
            if each not in known
        ]
        return Person(user, vault.tag(shown), new)
