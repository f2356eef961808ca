"""What the signer process will do, and what it refuses: its only decisions.

It takes whole structures, never digests, reads them back from their octets, and trusts nothing
that the caller says about them: a compromised caller obtains only what the sealed record of a
key allows, under serials that were reserved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from tegata.issuance.serials import SerialBlock
from tegata.kernel.ids import BlockId, KeyId, encode_id, time_ordered
from tegata.kernel.month import expiry_month
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import (
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    choose_signature_algorithm,
)
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.certificate import TbsCertificate, parse_tbs_certificate
from tegata.pkix.crl_reader import parse_tbs_cert_list
from tegata.pkix.der import DerError
from tegata.pkix.extensions import key_identifier
from tegata.pkix.ocsp import issuer_hashes, parse_response_data, responder_key_hash
from tegata.pkix.request_info import parse_request_info
from tegata.profiles.authority import AuthorityBounds, bounded_profile
from tegata.profiles.lint import RULE_SET, Lint
from tegata.profiles.model import IssuerFacts, Profile, Subject
from tegata.signers import messages
from tegata.signers.adoption import Adoptions
from tegata.signers.keys import KeyBackEnd, KeyRecord, PrivateKey
from tegata.signers.profile_book import ProfileBook
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import RecordSealer
from tegata.signers.timestamps import require_key, require_timestamp
from tegata.signers.tree_heads import TreeHeads
from tegata.transparency.checkpoint import CheckpointInvalid, parse_checkpoint
from tegata.transparency.model import log_verifier_key
from tegata.transparency.note import signed_octets

# The clocks of caller and signer are the same machine's; this much covers a slow queue.
CLOCK_TOLERANCE = timedelta(minutes=5)

_CA_PURPOSES = frozenset({KeyPurpose.ROOT_CA, KeyPurpose.SUBORDINATE_CA, KeyPurpose.ISSUING_CA})

_LOG_PURPOSES = frozenset({KeyPurpose.LOG})

# What a CA may do whose key was made without bounds of its own.
_UNBOUND = {KeyPurpose.ISSUING_CA: AuthorityBounds(path_length=0)}


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A key ready to sign, with its record."""

    id: KeyId
    record: KeyRecord
    private: PrivateKey
    facts: IssuerFacts


@dataclass(frozen=True, slots=True)
class Permission:
    """Octets that a key may sign: the result of every check."""

    key: LoadedKey
    octets: bytes


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """A key that may be made: the result of every check."""

    id: KeyId
    request: messages.CreateKey
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    signature_algorithm: SignatureAlgorithm


class KeyMissing(Exception):
    """The key has not been loaded into this run of the signer."""


class Custodian:
    """Holds the loaded keys and decides."""

    def __init__(
        self,
        back_end: KeyBackEnd,
        sealer: RecordSealer,
        reservations: Reservations,
        clock: Clock,
        randomness: Randomness,
        heads: TreeHeads,
        adoptions: Adoptions | None = None,
    ) -> None:
        self._heads = heads
        self._adoptions = adoptions
        self._back_end = back_end
        self._sealer = sealer
        self._reservations = reservations
        self._clock = clock
        self._randomness = randomness
        self._keys: dict[str, LoadedKey] = {}
        self._lint = Lint()
        self._profiles = ProfileBook()

    def may_create_key(self, request: messages.CreateKey) -> PlannedKey:
        """Check that such a key can be made here; `Problem(key.algorithm-refused)` if not."""
        try:
            purpose = KeyPurpose(request.purpose)
            algorithm = KeyAlgorithm(request.algorithm)
            wanted = SignatureAlgorithm(request.signature_algorithm)
        except ValueError as error:
            raise Problem(
                ProblemCode.KEY_ALGORITHM_REFUSED, "no such purpose or algorithm"
            ) from error
        signs = choose_signature_algorithm(algorithm, wanted)
        require_key(purpose, signs, request.policies)
        if not self._back_end.offers(algorithm, signs):
            raise Problem(
                ProblemCode.KEY_ALGORITHM_REFUSED,
                f"the key store ({self._back_end.name}) has no {algorithm} keys signing {signs}",
            )
        octets = time_ordered(self._milliseconds(), self._randomness.octets(10))
        return PlannedKey(KeyId(encode_id("key", octets)), request, purpose, algorithm, signs)

    def make_key(self, planned: PlannedKey) -> tuple[bytes, bytes]:
        """Make a planned key: its public key and secret. It takes seconds for some algorithms,
        so it is called in a thread; it touches nothing of the custodian's but the back end."""
        return self._back_end.generate(planned.id, planned.algorithm)

    def adopt_key(
        self, planned: PlannedKey, public_key: bytes, secret: bytes
    ) -> messages.KeyCreated:
        """Seal the record of a key that was made, and hold it ready."""
        key, request = planned.id, planned.request
        record = KeyRecord(
            key=key,
            tenant=request.tenant,
            purpose=planned.purpose,
            algorithm=planned.algorithm,
            signature_algorithm=planned.signature_algorithm,
            subject=request.subject,
            public_key=public_key,
            authority_subject=request.authority_subject,
            authority_public_key=request.authority_public_key,
            back_end=self._back_end.name,
            secret=secret,
            bounds=request.bounds,
            policies=request.policies,
        )
        return self._keep(record)

    def adopt_foreign(self, request: messages.AdoptKey) -> messages.KeyCreated:
        """Take a key that was not made here, and seal its record; `Problem(key.not-authorised)`
        unless an operator's word allows it (ADR 18)."""
        if self._adoptions is None:
            raise Problem(ProblemCode.KEY_NOT_AUTHORISED, "this signer adopts no keys")
        return self._keep(self._adoptions.adopt(request))

    def _keep(self, record: KeyRecord) -> messages.KeyCreated:
        sealed = self._sealer.seal(msgspec.msgpack.encode(record), f"signing-key|{record.key}")
        self._load(KeyId(record.key), record)
        return messages.KeyCreated(
            record.key, record.public_key, sealed, record.algorithm, record.signature_algorithm
        )

    def load(self, request: messages.LoadKey | messages.LoadProfile) -> None:
        """Remember a key or a profile; `Problem` when the key's record is not genuine, or the
        profile not one that a tenant may have."""
        if isinstance(request, messages.LoadKey):
            self.load_key(request)
        else:
            self._profiles.load(request.document)

    def load_key(self, request: messages.LoadKey) -> None:
        """Unseal a key; `Problem(key.purpose-refused)` when its record is not genuine."""
        try:
            plaintext = self._sealer.unseal(request.sealed, f"signing-key|{request.key}")
            self._load(KeyId(request.key), msgspec.msgpack.decode(plaintext, type=KeyRecord))
        except ValueError as error:
            raise Problem(
                ProblemCode.KEY_PURPOSE_REFUSED,
                "the key's record is not genuine, or sealed with another sealing key",
            ) from error

    def list_keys(self) -> messages.KeyList:
        """The keys that the token holds, loaded or not."""
        return messages.KeyList(list(self._back_end.held_keys()))

    def reserve(self, request: messages.Reserve) -> SerialBlock:
        """Reserve serials for a CA key of the tenant."""
        key = self._key(request.key, request.tenant, _CA_PURPOSES)
        return self._reservations.reserve(
            request.tenant, key.id, request.month, request.size, request.shard
        )

    def reserved_after(self, request: messages.ListReserved) -> messages.ReservedBlocks:
        """Blocks that were reserved from a place in the journal on."""
        found = self._reservations.reserved_after(request.place, request.limit)
        return messages.ReservedBlocks(
            [
                messages.ReservedBlock(
                    each.tenant,
                    each.key,
                    each.block.id,
                    each.block.month,
                    each.block.size,
                    each.block.prf_key,
                    each.shard,
                    each.end,
                )
                for each in found
            ]
        )

    def may_sign_certificate(self, request: messages.SignCertificate) -> Permission:
        """Check a TBSCertificate: purpose, tenant, lint, reserved serial, month of expiry."""
        key = self._key(request.key, request.tenant, _CA_PURPOSES)
        profile = self._profiles.get(request.profile, KeyPurpose(key.record.purpose))
        if request.rule_set != RULE_SET:
            raise Problem(ProblemCode.LINT_REFUSED, "linted with other rules than the signer's")
        if request.linted != hashlib.sha256(request.tbs).digest():
            raise Problem(ProblemCode.LINT_REFUSED, "the lint proof is for other octets")
        try:
            tbs = parse_tbs_certificate(request.tbs)
        except DerError as error:
            raise Problem(ProblemCode.LINT_REFUSED, "not a TBSCertificate") from error
        profile = self._own_subject(profile, tbs, key)
        subject = Subject(tbs, profile, key.facts)
        findings = self._lint.findings(subject)
        if findings:
            raise Problem(ProblemCode.LINT_REFUSED, findings[0].message, findings)
        if tbs.serial >> 128 & 0xFFFF != expiry_month(tbs.not_after):
            raise Problem(ProblemCode.SERIAL_NOT_RESERVED, "reserved for another month of expiry")
        self._reservations.take(BlockId(request.block), request.counter, tbs.serial, key.id)
        return Permission(key, request.tbs)

    def _own_subject(self, profile: Profile, tbs: TbsCertificate, key: LoadedKey) -> Profile:
        """A CA's or responder's certificate is only for a key that was made here to be one; its
        profile is bounded as its key is, and no looser than the key that signs."""
        purpose = profile.subject_purpose
        if purpose is None:
            return profile
        for subject in self._keys.values():
            record = subject.record
            if record.public_key != tbs.public_key:
                continue
            answers_for = record.authority_public_key in (b"", key.record.public_key)
            own = record.tenant == key.record.tenant and record.subject == tbs.subject
            if record.purpose == purpose and own and answers_for and _inherits(subject, key):
                return bounded_profile(profile, record.bounds)
        raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not for a key that was made to be one")

    def may_sign_request(self, request: messages.SignRequest) -> Permission:
        """Check a CertificationRequestInfo: a CA's key asks for its own name and key, and for
        nothing but extensions."""
        key = self._key(request.key, request.tenant, _CA_PURPOSES)
        try:
            info = parse_request_info(request.info)
        except DerError as error:
            raise Problem(ProblemCode.LINT_REFUSED, "not a CertificationRequestInfo") from error
        if (info.subject, info.public_key) != (key.record.subject, key.record.public_key):
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "a request for another key or name")
        return Permission(key, request.info)

    def may_sign_crl(self, request: messages.SignCrl) -> Permission:
        """Check a TBSCertList: a CA key, its own name, its algorithm, the present time."""
        key = self._key(request.key, request.tenant, _CA_PURPOSES)
        try:
            crl = parse_tbs_cert_list(request.tbs)
        except DerError as error:
            raise Problem(ProblemCode.LINT_REFUSED, "not a TBSCertList") from error
        if crl.issuer != key.record.subject:
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "a CRL of another issuer")
        if crl.signature != algorithm_identifier(key.facts.signature_algorithm):
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not the key's signature algorithm")
        self._require_present(crl.this_update)
        if crl.next_update <= crl.this_update:
            raise Problem(ProblemCode.LINT_REFUSED, "nextUpdate is not after thisUpdate")
        if crl.base is not None and not 0 < crl.base <= crl.number:
            raise Problem(ProblemCode.LINT_REFUSED, "a delta's base is no earlier list")
        return Permission(key, request.tbs)

    def may_sign_response(self, request: messages.SignResponse) -> Permission:
        """Check a ResponseData: a responder's key, named in it, answering for its CA only."""
        key = self._key(request.key, request.tenant, frozenset({KeyPurpose.OCSP_RESPONDER}))
        record = key.record
        try:
            data = parse_response_data(request.data)
        except DerError as error:
            raise Problem(ProblemCode.LINT_REFUSED, "not a ResponseData") from error
        own = issuer_hashes(record.authority_subject, record.authority_public_key)
        if data.responder_key_hash != responder_key_hash(record.public_key):
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "a response of another responder")
        if not data.cert_ids or any(cert_id.issuer not in own for cert_id in data.cert_ids):
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "a response for another CA")
        self._require_present(data.produced_at)
        return Permission(key, request.data)

    def may_sign_timestamp(self, request: messages.SignTimestamp) -> Permission:
        """Check the SignedAttributes and TSTInfo of a token: a unit's key, its policies, the
        present time (`signers.timestamps`)."""
        key = self._key(request.key, request.tenant, frozenset({KeyPurpose.TIMESTAMP}))
        require_timestamp(request.info, request.attributes, key.record, self._clock.now())
        return Permission(key, request.attributes)

    def may_sign_checkpoint(self, request: messages.SignCheckpoint) -> Permission:
        """Check a checkpoint: a log's key, its own log, proved to continue what it signed
        before, the present time. What it signs is on the disk before anybody has it."""
        key = self._key(request.key, request.tenant, _LOG_PURPOSES)
        try:
            checkpoint = parse_checkpoint(request.text)
        except CheckpointInvalid as error:
            raise Problem(ProblemCode.LOG_INCONSISTENT, str(error)) from error
        if checkpoint.extensions or checkpoint.origin != key.record.subject.decode():
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "a checkpoint of another log")
        signs = log_verifier_key(key.record.subject, key.record.algorithm, key.record.public_key)
        if signs.type.is_timed:
            self._require_present(datetime.fromtimestamp(request.time, UTC))
        self._heads.advance(key.id, checkpoint, request.proof)
        return Permission(key, signed_octets(signs, request.text, request.time))

    def tree_head(self, request: messages.AskTreeHead) -> messages.TreeHead:
        """The largest tree that a log's key has signed."""
        return messages.TreeHead(
            *self._heads.last(self._key(request.key, request.tenant, _LOG_PURPOSES).id)
        )

    def create_data_key(self, request: messages.CreateDataKey) -> bytes:
        """A tenant's new data key, wrapped."""
        return self._sealer.seal(self._randomness.octets(32), _data_key_context(request))

    def unwrap_data_key(self, request: messages.UnwrapDataKey) -> bytes:
        """A tenant's data key; `Problem(key.purpose-refused)` for another tenant's or kind."""
        try:
            return self._sealer.unseal(request.wrapped, _data_key_context(request))
        except ValueError as error:
            raise Problem(
                ProblemCode.KEY_PURPOSE_REFUSED,
                "the data key is another tenant's, or sealed with another sealing key",
            ) from error

    def _load(self, key: KeyId, record: KeyRecord) -> None:
        if record.back_end != self._back_end.name:
            raise ValueError(f"the key lives in {record.back_end}")
        bounds = record.bounds or _UNBOUND.get(KeyPurpose(record.purpose), AuthorityBounds())
        facts = IssuerFacts(
            record.subject,
            record.key_identifier or key_identifier(record.public_key),
            None,
            SignatureAlgorithm(record.signature_algorithm),
            bounds.every_constraint,
            bounds.path_length,
        )
        self._keys[key] = LoadedKey(key, record, self._back_end.open(record), facts)

    def _key(self, key: str, tenant: str, purposes: frozenset[KeyPurpose]) -> LoadedKey:
        loaded = self._keys.get(key)
        if loaded is None:
            raise KeyMissing(key)
        if loaded.record.tenant != tenant or loaded.record.purpose not in purposes:
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not this tenant's key for this purpose")
        return loaded

    def _require_present(self, instant: datetime) -> None:
        if abs(self._clock.now() - instant) > CLOCK_TOLERANCE:
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not dated at the present time")

    def _milliseconds(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _inherits(subject: LoadedKey, key: LoadedKey) -> bool:
    """Whether a CA below is bound by all that binds the one that signs for it."""
    if subject is key or subject.record.purpose == KeyPurpose.OCSP_RESPONDER:
        return True
    return set(key.facts.constraints) <= set(subject.facts.constraints)


def _data_key_context(request: messages.CreateDataKey | messages.UnwrapDataKey) -> str:
    return f"data-key|{request.tenant}|{request.kind}"
