"""The signer of a `World`: it signs with real keys, and remembers what it has signed."""

from __future__ import annotations

from tegata.issuance.serials import SerialBlock
from tegata.kernel.ids import BlockId, KeyId, TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import (
    DataKeyKind,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    SigningKey,
    choose_signature_algorithm,
)
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.model import Profile
from tegata.profiles.public_key import find_key_algorithm
from tests.fakes.system import CountingRandomness
from tests.fakes.world_store import Gate
from tests.pkix.keys import PrivateKey, make_key, sign_as, spki


class MemorySigner:
    """Keys and the journal outlive a crash; which blocks are open does not."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.randomness = CountingRandomness("signer")
        self.keys: dict[KeyId, PrivateKey] = {}
        # By serial number, each signature's TBSCertificate; a second one is a fault.
        self.signed: dict[int, bytes] = {}
        # By SubjectPublicKeyInfo, keys that an operator has authorised.
        self.authorised: dict[bytes, PrivateKey] = {}
        self.signed_crls: list[tuple[KeyId, bytes]] = []
        self.journal: dict[BlockId, SerialBlock] = {}
        self._open: dict[BlockId, tuple[KeyId, set[int]]] = {}

    def restart(self) -> None:
        """Begin another run: blocks of the last one are of no use any more."""
        self._open.clear()

    async def create_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        subject: bytes,
        authority: tuple[bytes, bytes] = (b"", b""),
        algorithm: KeyAlgorithm = KeyAlgorithm.P256,
        signature_algorithm: SignatureAlgorithm | None = None,
        bounds: AuthorityBounds | None = None,
    ) -> SigningKey:
        self.gate.reach("signer.create_key: before")
        chosen = choose_signature_algorithm(algorithm, signature_algorithm)
        private = make_key(algorithm)
        identifier = KeyId(f"key_{len(self.keys)}")
        self.keys[identifier] = private
        self.gate.reach("signer.create_key: after")
        return SigningKey(identifier, tenant, purpose, algorithm, chosen, spki(private), b"")

    async def adopt_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        certificate: bytes,
        signature_algorithm: SignatureAlgorithm | None,
    ) -> SigningKey:
        self.gate.reach("signer.adopt_key: before")
        public_key = parse_tbs_certificate(parse_certificate(certificate).tbs).public_key
        if public_key not in self.authorised:
            raise Problem(ProblemCode.KEY_NOT_AUTHORISED)
        algorithm = find_key_algorithm(public_key)
        assert algorithm is not None
        identifier = KeyId(f"key_{len(self.keys)}")
        self.keys[identifier] = self.authorised[public_key]
        self.gate.reach("signer.adopt_key: after")
        chosen = choose_signature_algorithm(algorithm, signature_algorithm)
        return SigningKey(identifier, tenant, purpose, algorithm, chosen, public_key, b"")

    async def reserve(self, key: SigningKey, month: int, size: int, _shard: int) -> SerialBlock:
        self.gate.reach("signer.reserve: before")
        identifier = BlockId(f"blk_{len(self.journal)}")
        block = SerialBlock(identifier, month, size, self.randomness.octets(32))
        self.journal[identifier] = block
        self._open[identifier] = key.id, set()
        self.gate.reach("signer.reserve: after")
        return block

    async def sign_certificate(
        self, key: SigningKey, profile: Profile, tbs: bytes, block: BlockId, counter: int
    ) -> bytes:
        self.gate.reach("signer.sign_certificate: before")
        owner, used = self._open.get(block, (None, set[int]()))
        serial = parse_tbs_certificate(tbs).serial
        if owner != key.id or counter in used or self.journal[block].serial(counter) != serial:
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED)
        used.add(counter)
        assert serial not in self.signed
        self.signed[serial] = tbs
        signature = self._sign(key, tbs)
        self.gate.reach("signer.sign_certificate: after")
        return signature

    async def load_key(self, key: SigningKey) -> None:
        self.gate.reach("signer.load_key")

    async def sign_request(self, key: SigningKey, info: bytes) -> bytes:
        self.gate.reach("signer.sign_request")
        return self._sign(key, info)

    async def sign_crl(self, key: SigningKey, tbs: bytes) -> bytes:
        self.gate.reach("signer.sign_crl: before")
        parse_tbs_cert_list(tbs)
        self.signed_crls.append((key.id, tbs))
        signature = self._sign(key, tbs)
        self.gate.reach("signer.sign_crl: after")
        return signature

    async def sign_response(self, key: SigningKey, data: bytes) -> bytes:
        self.gate.reach("signer.sign_response")
        return self._sign(key, data)

    async def create(self, tenant: TenantId) -> dict[DataKeyKind, bytes]:
        """A tenant's data keys, wrapped."""
        self.gate.reach("data_keys.create")
        return {kind: self.randomness.octets(60) for kind in DataKeyKind}

    def _sign(self, key: SigningKey, octets: bytes) -> bytes:
        return sign_as(self.keys[key.id], key.signature_algorithm, octets)
