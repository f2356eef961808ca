"""Personas, made when they are first asked for.

sandbox = Sandbox(data / "sandbox", clock)
persona = sandbox.persona("ordinary")
held = persona.held(Kind.SIGN)              # None for who has no signing certificate
signature = held.sign(encode_intent(intent))    # RSASSA-PKCS1-v1_5 with SHA-256
roots = sandbox.roots()                     # DER of every generation: what to pin
sandbox.jlis                                # the stand-in of J-LIS (sandbox/authority.py)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.kernel.ports import Clock
from tegata.sandbox.authority import JLisStandIn
from tegata.sandbox.hierarchy import Hierarchy, Root
from tegata.sandbox.keys import Cabinet, SandboxError
from tegata.sandbox.people import PEOPLE, Kind, Person
from tegata.sandbox.profile import end_entity


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate and its key. `root` is the generation that its AKI names."""

    kind: Kind
    certificate: x509.Certificate
    root: Root
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def serial(self) -> int:
        """The certificate's serial number."""
        return self.certificate.serial_number

    def sign(self, octets: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 over octets."""
        return self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())

    def sign_padded(self, content: bytes) -> bytes:
        """What a card does with P1 = 00: pad these octets, whatever they are, and sign."""
        return self.key.sign(content, padding.PKCS1v15(), utils.NoDigestInfo())


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona with its certificates, oldest first; the last is the one on its card."""

    person: Person
    sign: tuple[Held, ...]
    auth: tuple[Held, ...]

    def held(self, kind: Kind) -> Held | None:
        """The certificate that the card holds now."""
        every = self.sign if kind is Kind.SIGN else self.auth
        return every[-1] if every else None


class Sandbox:
    """One sandbox: its folder, hierarchies, personas and stand-in of J-LIS."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.cabinet = Cabinet(folder, clock)
        self.hierarchy = Hierarchy(self.cabinet)
        self.jlis = JLisStandIn(self.cabinet, self.hierarchy, clock)
        self._personas: dict[str, Persona] = {}

    def roots(self) -> tuple[bytes, ...]:
        """The certificates (DER) of every generation of both hierarchies."""
        return tuple(root.der for root in self.hierarchy.roots())

    def persona(self, name: str) -> Persona:
        """A persona by name; `SandboxError` when there is none of that name."""
        if name not in PEOPLE:
            raise SandboxError(f"no persona is called {name!r}")
        if name not in self._personas:
            person = PEOPLE[name]
            self._personas[name] = Persona(
                person, self._every(person, Kind.SIGN), self._every(person, Kind.AUTH)
            )
        return self._personas[name]

    def _every(self, person: Person, kind: Kind) -> tuple[Held, ...]:
        return tuple(self._held(person, kind, place) for place in range(len(person.given(kind))))

    def _held(self, person: Person, kind: Kind, place: int) -> Held:
        given = person.given(kind)[place]
        key = self.cabinet.rsa_key(f"{person.name}-{kind}-{place}")
        named = self.hierarchy.root(kind, given.generation)
        signed = self.hierarchy.root(kind, given.signed_by or given.generation)
        first_day = self.cabinet.first_day()
        certificate = end_entity(person, kind, place, first_day, key.public_key(), named, signed)
        return Held(kind, certificate, named, key)
