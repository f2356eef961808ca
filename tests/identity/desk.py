"""A desk where personas are verified: the sandbox behind the port, and forgers' tools."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tegata.identity.jlis import CertificateKind, LegalPurpose, StatusMethod
from tegata.identity.model import (
    Binding,
    DeclaredPurpose,
    NewSession,
    Session,
    SessionId,
    SessionState,
    SignatureForm,
    Submission,
    Verdict,
)
from tegata.identity.reasons import Reason
from tegata.identity.rules.verdict import conclude
from tegata.identity.status import StatusSource
from tegata.identity.trust import PinnedTrust
from tegata.identity.verification import Verification
from tegata.pkix import jpki
from tegata.pkix.der import UTF8_STRING, wrap
from tegata.pkix.intent import Intent, IntentPurpose, encode_intent
from tegata.sandbox.gateway import SandboxGateway
from tegata.sandbox.hierarchy import Root, directory_name, distribution_point, key_usage
from tegata.sandbox.people import Kind
from tegata.sandbox.personas import Held, Sandbox
from tests.fakes.system import CountingRandomness, FakeClock

SIGN, AUTH = CertificateKind.SIGN, CertificateKind.AUTH
DOCUMENT = "口座開設申込書".encode()
KINDS = {SIGN: Kind.SIGN, AUTH: Kind.AUTH}
# As issued: name, birth, sex, address, and the marks of replaced characters.
NAMES = (
    (jpki.NAME, "青山　花子"), (jpki.BIRTH, "319800217"), (jpki.SEX, "2"),
    (jpki.ADDRESS, "東京都"), (jpki.NAME_SUBSTITUTES, "00000"),
    (jpki.ADDRESS_SUBSTITUTES, "000"),
)  # fmt: skip


@dataclass
class Desk:
    """A verification against one sandbox, at the time of a clock."""

    sandbox: Sandbox
    clock: FakeClock
    randomness: CountingRandomness = field(default_factory=lambda: CountingRandomness("desk"))

    def __post_init__(self) -> None:
        self.ask(SandboxGateway(self.sandbox, self.clock))

    def ask(self, gateway: SandboxGateway) -> None:
        """Ask this gateway from now on."""
        self.gateway = gateway
        self.pinned = PinnedTrust(gateway, simulated=True)
        statuses = StatusSource(gateway, self.clock, self.randomness)
        self.verification = Verification(self.pinned, statuses, self.clock)

    @classmethod
    def at(cls, folder: Path) -> Desk:
        """A desk in the time of the fakes."""
        clock = FakeClock()
        return cls(Sandbox(folder, clock), clock)

    def held(self, persona: str, kind: CertificateKind = SIGN) -> Held:
        """A persona's present certificate."""
        found = self.sandbox.persona(persona).held(KINDS[kind])
        assert found is not None
        return found

    def session(
        self,
        kind: CertificateKind = SIGN,
        binding: Binding = Binding.INTENT,
        method: StatusMethod = StatusMethod.OCSP,
    ) -> Session:
        """An open session."""
        document = hashlib.sha256(DOCUMENT).digest() if kind is SIGN else None
        challenge = self.randomness.octets(32)
        intent = b""
        if binding is Binding.INTENT:
            purpose = IntentPurpose.SIGN if kind is SIGN else IntentPurpose.AUTHENTICATE
            asked = Intent(
                purpose, "狸銀行", "https://bank.example.test", "ivs_test", challenge, document
            )
            intent = encode_intent(asked)
        now = self.clock.now()
        new = NewSession(
            kind, "account", "狸銀行", "https://bank.example.test", binding, method, document,
            "", "", (),
        )  # fmt: skip
        declared = DeclaredPurpose("account", "口座開設", frozenset(), "none")
        return Session(
            SessionId("ivs_test"), new, declared, LegalPurpose.SIGNATURE_VERIFICATION, challenge,
            intent, SessionState.OPEN, now, now + timedelta(minutes=10),
        )  # fmt: skip

    async def verdict(self, session: Session, submission: Submission) -> Verdict:
        """What a submission comes to."""
        examined = await self.verification.examine(session, submission)
        return conclude(examined.checks, self.clock.now())

    async def reason(self, session: Session, submission: Submission) -> Reason | None:
        """Why a submission was refused."""
        return (await self.verdict(session, submission)).reason

    def root(self, kind: CertificateKind = SIGN, generation: str = "03") -> Root:
        """A generation of the simulated roots."""
        return self.sandbox.hierarchy.root(KINDS[kind], generation)


def raw(held: Held, octets: bytes) -> Submission:
    """A submission that is right in every respect."""
    return Submission(held.der, held.sign(octets), SignatureForm.RAW)


def forge(
    named: Root,
    signer: rsa.RSAPrivateKey,
    key: rsa.RSAPublicKey,
    *,
    kind: CertificateKind = SIGN,
    policy: str = jpki.SIGN_POLICY,
    commit: bool = True,
    names: Sequence[tuple[str, str]] = NAMES,
    issuer: x509.Name | None = None,
    further: Mapping[x509.ExtensionType, bool] | None = None,
) -> bytes:
    """A certificate (DER) that says it is of one root and is signed by any key."""
    point = x509.DirectoryName(distribution_point(KINDS[kind], "Tokyo-to", "Kiyose-shi"))
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer or named.certificate.subject)
        .subject_name(directory_name((x509.NameOID.COMMON_NAME, "forged")))
        .public_key(key)
        .serial_number(4711)
        .not_valid_before(FakeClock().now() - timedelta(days=30))
        .not_valid_after(FakeClock().now() + timedelta(days=30))
        .add_extension(key_usage(sign=True, commit=commit), critical=True)
        .add_extension(
            x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(policy), None)]),
            critical=True,
        )
        .add_extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)]),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier(
                named.key_identifier,
                [x509.DirectoryName(named.certificate.subject)],
                named.certificate.serial_number,
            ),
            critical=False,
        )
    )
    if names:
        others = [
            x509.OtherName(x509.ObjectIdentifier(oid), wrap(UTF8_STRING, text.encode()))
            for oid, text in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    for extension, critical in (further or {}).items():
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)
