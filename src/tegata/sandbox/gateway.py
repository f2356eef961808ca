"""The port to J-LIS, met by the stand-in (docs/reference/jlis-gateway.md, version 1).

The stand-in is asked in a thread: the first question about a key makes it, and that takes a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.identity.jlis import (
    CertificateKind,
    CertificateReference,
    ConsentState,
    ConsentStatus,
    FourAttributes,
    GatewayCause,
    GatewayError,
    LatestAttributes,
    LegalPurpose,
    Roots,
    SignedConsent,
)
from tegata.identity.jlis import (
    Holder as CertificateHolder,
)
from tegata.kernel.ports import Clock
from tegata.sandbox.authority import Consent, JLisRefusal, Refusal
from tegata.sandbox.card.issue import trusted_card_keys
from tegata.sandbox.hierarchy import GENERATIONS, Root, distribution_point
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.people import MUNICIPALITIES, Attributes, Kind
from tegata.sandbox.personas import Sandbox
from tegata.sandbox.profile import POLICIES, birth_text
from tegata.sandbox.register import Entry

T = TypeVar("T")

_VERSION: Final = "1"
_KINDS: Final = {CertificateKind.SIGN: Kind.SIGN, CertificateKind.AUTH: Kind.AUTH}
_REFERENCES: Final = {kind: reference for reference, kind in _KINDS.items()}
_CAUSES: Final = {
    Refusal.UNKNOWN: GatewayCause.NOT_FOUND,
    Refusal.NO_CONSENT: GatewayCause.REFUSED,
    Refusal.RECORD_CLOSED: GatewayCause.REFUSED,
    Refusal.DOWN: GatewayCause.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    """The stand-in as the port wants it. Its purposes are the caller's to record."""

    sandbox: Sandbox
    clock: Clock

    @property
    def contract_version(self) -> str:
        """The version of the contract that this is written for."""
        return _VERSION

    def roots(self) -> Roots:
        """Every generation of JPKI-SIM, and the keys that certify the sandbox's cards."""
        certificates = {
            reference: tuple(self.sandbox.hierarchy.root(kind, each).der for each in GENERATIONS)
            for reference, kind in _KINDS.items()
        }
        keys = {
            identifier: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for identifier, key in trusted_card_keys(self.sandbox).items()
        }
        policies = {
            policy: (_REFERENCES[kind], CertificateHolder.PHONE)
            for (kind, on_phone), policy in POLICIES.items()
            if on_phone
        }
        return Roots(certificates, keys, policies)

    async def ask_ocsp(self, request: bytes, purpose: LegalPurpose) -> bytes:
        """The responder's answer."""
        del purpose
        return await self._ask(lambda: self.sandbox.jlis.ocsp(request))

    async def fetch_crl(
        self, authority_key_id: bytes, point: bytes, purpose: LegalPurpose
    ) -> bytes:
        """The list of a generation and a municipality."""
        del purpose
        return await self._ask(lambda: self._list(authority_key_id, point))

    def _list(self, authority_key_id: bytes, point: bytes) -> bytes:
        root = self._root(authority_key_id)
        for at in MUNICIPALITIES:
            name = distribution_point(root.kind, at.prefecture, at.city)
            if name.public_bytes() == point:
                return self.sandbox.jlis.crl(root.kind, root.generation, at.code)
        raise SandboxError("no list for this distribution point")

    async def linked_certificates(
        self, certificate: CertificateReference, purpose: LegalPurpose
    ) -> Sequence[CertificateReference]:
        """Every certificate of the same person."""
        del purpose
        return await self._ask(lambda: self._linked(certificate))

    def _linked(self, certificate: CertificateReference) -> tuple[CertificateReference, ...]:
        kind = _KINDS[certificate.kind]
        every = self.sandbox.jlis.every(kind, certificate.serial)
        found = tuple(self._reference(entry) for entry in every)
        if certificate not in found:
            raise SandboxError("no such certificate of this generation")
        return found

    def _reference(self, entry: Entry) -> CertificateReference:
        root = self.sandbox.hierarchy.root(entry.kind, entry.generation)
        return CertificateReference(_REFERENCES[entry.kind], root.key_identifier, entry.serial)

    def _root(self, key_identifier: bytes) -> Root:
        for root in self.sandbox.hierarchy.roots():
            if root.key_identifier == key_identifier:
                return root
        raise SandboxError("no generation has this key identifier")

    async def register_consent(self, consent: SignedConsent) -> ConsentStatus:
        """Have a consent held."""
        given = await self._ask(
            lambda: self.sandbox.jlis.give_consent(
                consent.certificate, consent.text, consent.intent, consent.signature
            )
        )
        return self._status(given)

    async def withdraw_consent(self, consent: str) -> ConsentStatus:
        """End a consent."""
        return self._status(await self._ask(lambda: self.sandbox.jlis.withdraw_consent(consent)))

    async def find_consent(self, consent: str) -> ConsentStatus:
        """A consent as it stands."""
        return self._status(await self._ask(lambda: self.sandbox.jlis.find_consent(consent)))

    async def latest_attributes(self, consent: str) -> LatestAttributes:
        """Today's attributes of who gave a consent."""
        found = await self._ask(lambda: self.sandbox.jlis.latest_attributes(consent))
        return LatestAttributes(_four(found), self.clock.now())

    def _status(self, consent: Consent) -> ConsentStatus:
        state = ConsentState.ACTIVE
        if consent.withdrawn_at is not None:
            state = ConsentState.WITHDRAWN
        elif self.clock.now() >= consent.expires_at:
            state = ConsentState.EXPIRED
        return ConsentStatus(
            consent.id, state, consent.given_at, consent.expires_at, consent.withdrawn_at
        )

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(self._answered, question)
        except JLisRefusal as refusal:
            raise GatewayError(_CAUSES[refusal.reason]) from refusal
        except SandboxError as error:
            raise GatewayError(GatewayCause.NOT_FOUND, str(error)) from error

    def _answered(self, question: Callable[[], T]) -> T:
        self.sandbox.jlis.require_up()
        return question()


def _four(attributes: Attributes) -> FourAttributes:
    return FourAttributes(
        name=attributes.name,
        address=attributes.address,
        birth=birth_text(attributes.birth),
        sex=attributes.sex,
        name_substitutes=attributes.name_flags or "0" * len(attributes.name),
        address_substitutes=attributes.address_flags or "0" * len(attributes.address),
    )
