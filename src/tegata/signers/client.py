"""The caller's side of the signer process: one connection, many requests under way.

When the connection breaks, everything under way fails with signer.unavailable (a certificate
whose signature was lost is never released; its serial becomes void) and the next request
connects again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from tegata.issuance.serials import SerialBlock
from tegata.kernel.finding import Finding, Severity
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
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.document_form import canonical_form
from tegata.profiles.lint import RULE_SET
from tegata.profiles.model import Profile
from tegata.signers import messages
from tegata.signers.reservations import ReservedBlock

# Seconds; an answer is given up after one to two times this long.
ANSWER_TIMEOUT = 15.0
# Seconds; a token takes its time over an RSA key of 4096 bits.
KEY_TIMEOUT = 180.0
_HEADER = 4
_GATHERING_TURNS = 4
_MADE = 64
# Octets of a frame past which copies are counted: a CRL may have tens of millions.
_LARGE = 1 << 20

R = TypeVar("R")


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[messages.Reply]] = {}
        # Those whose askers have a bound of their own.
        self.patient: set[int] = set()
        self.open = True
        self._unsent: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._buffer = bytearray()
        self._decoder = msgspec.msgpack.Decoder(messages.Answer)
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def wait(self, number: int, answer: asyncio.Future[messages.Reply]) -> None:
        """Expect an answer, within bounds. One timer watches over all that are expected."""
        self.waiting[number] = answer
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(ANSWER_TIMEOUT, self._look, number)

    def _look(self, number: int) -> None:
        """Give up what was expected when the timer was set and has not come since."""
        self._watch = None
        for late in [each for each in self.waiting.keys() - self.patient if each <= number]:
            future = self.waiting.pop(late)
            if not future.done():
                future.set_exception(
                    Problem(ProblemCode.SIGNER_UNAVAILABLE, "the signer does not answer")
                )
        if self.waiting:
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(ANSWER_TIMEOUT, self._look, max(self.waiting))

    def send(self, frame: bytes) -> None:
        """Send a frame, together with all others of this turn of the loop and the next few, as
        long as there are any: the signer works best on many at once."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush, 0, _GATHERING_TURNS)
        self._unsent.append(frame)

    def send_large(self, header: bytes, octets: bytes) -> None:
        """Send a frame that should not be copied once more, after all others of this turn."""
        self._flush(len(self._unsent), 0)
        if self.transport is not None and self.open:
            self.transport.write(header)
            self.transport.write(octets)

    def _flush(self, before: int, turns: int) -> None:
        if turns and len(self._unsent) > before:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._flush, len(self._unsent), turns - 1)
            return
        if self.transport is not None and self.open:
            self.transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER:
            size = int.from_bytes(self._buffer[:_HEADER], "big")
            if len(self._buffer) < _HEADER + size:
                return
            answer = self._decoder.decode(bytes(self._buffer[_HEADER : _HEADER + size]))
            del self._buffer[: _HEADER + size]
            future = self.waiting.pop(answer.number, None)
            if future is not None and not future.done():
                future.set_result(answer.reply)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        self.open = False
        if self._watch is not None:
            self._watch.cancel()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(
                    Problem(ProblemCode.SIGNER_UNAVAILABLE, "the signer process went away")
                )
        self.waiting.clear()


class SignerClient:
    """The signer process, as the rooms' ports want it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._number = 0
        # Keys whose own certificates may not have been signed yet.
        self._made: deque[SigningKey] = deque(maxlen=_MADE)
        self._encoder = msgspec.msgpack.Encoder()

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
        """Make a key. `authority` is a responder's CA: its subject and public key.

        Raises `Problem(key.algorithm-refused)` for what the key store does not do.
        """
        chosen = choose_signature_algorithm(algorithm, signature_algorithm)
        request = messages.CreateKey(
            tenant, purpose, algorithm, chosen, subject, *authority, bounds
        )
        created = await self._create(request)
        made = SigningKey(
            KeyId(created.key),
            tenant,
            purpose,
            algorithm,
            chosen,
            created.public_key,
            created.sealed,
        )
        self._made.append(made)
        return made

    async def adopt_key(
        self,
        tenant: TenantId,
        purpose: KeyPurpose,
        certificate: bytes,
        signature_algorithm: SignatureAlgorithm | None,
    ) -> SigningKey:
        """The key of a CA's certificate (DER), which an operator has authorised for a tenant."""
        request = messages.AdoptKey(tenant, purpose, certificate, signature_algorithm or "")
        adopted = await self._call(request, messages.KeyCreated)
        return SigningKey(
            KeyId(adopted.key),
            tenant,
            purpose,
            KeyAlgorithm(adopted.algorithm),
            SignatureAlgorithm(adopted.signature_algorithm),
            adopted.public_key,
            adopted.sealed,
        )

    async def _create(self, request: messages.CreateKey) -> messages.KeyCreated:
        try:
            async with asyncio.timeout(KEY_TIMEOUT):
                return await self._call(request, messages.KeyCreated)
        except TimeoutError as error:
            raise Problem(
                ProblemCode.SIGNER_UNAVAILABLE, "the key store makes no key in time"
            ) from error

    async def reserve(self, key: SigningKey, month: int, size: int, shard: int) -> SerialBlock:
        """Reserve serials for a CRL shard; durable in the signer's journal on return."""
        request = messages.Reserve(key.id, key.tenant, month, size, shard)
        reserved = await self._call(request, messages.Reserved, key)
        return SerialBlock(BlockId(reserved.block), month, size, reserved.prf_key)

    async def reserved_after(self, place: int, limit: int) -> Sequence[ReservedBlock]:
        """Blocks in the signer's journal, from a place in it on; none when there is no more."""
        reply = await self._call(messages.ListReserved(place, limit), messages.ReservedBlocks)
        return [
            ReservedBlock(
                TenantId(each.tenant),
                KeyId(each.key),
                SerialBlock(BlockId(each.block), each.month, each.size, each.prf_key),
                each.shard,
                each.end,
            )
            for each in reply.blocks
        ]

    async def sign_certificate(
        self, key: SigningKey, profile: Profile, tbs: bytes, block: BlockId, counter: int
    ) -> bytes:
        """Sign a linted TBSCertificate under a reserved serial."""
        linted = hashlib.sha256(tbs).digest()
        request = messages.SignCertificate(
            key.id, key.tenant, tbs, block, counter, profile.reference, RULE_SET, linted
        )
        reply = await self._exchange(request)
        if isinstance(reply, messages.Octets):
            return reply.value
        try:
            reply = await self._with_key(request, reply, key)
            if isinstance(reply, messages.ProfileNotLoaded):
                document = messages.LoadProfile(canonical_form(profile))
                _expect(messages.Done, await self._exchange(document))
                reply = await self._exchange(request)
            return _expect(messages.Octets, reply).value
        except Problem as problem:
            subject = next((each for each in self._made if each.public_key in tbs), None)
            if problem.code is not ProblemCode.KEY_PURPOSE_REFUSED or subject is None:
                raise
            # The signer was started again after it had made the subject's key: it must see it.
            await self._call(messages.LoadKey(subject.id, subject.sealed), messages.Done)
            return (await self._call(request, messages.Octets, key)).value

    async def load_key(self, key: SigningKey) -> None:
        """Have the signer see a key that it may be asked to certify."""
        await self._call(messages.LoadKey(key.id, key.sealed), messages.Done)

    async def sign_request(self, key: SigningKey, info: bytes) -> bytes:
        """Sign a CertificationRequestInfo for the key itself."""
        request = messages.SignRequest(key.id, key.tenant, info)
        return (await self._call(request, messages.Octets, key)).value

    async def sign_crl(self, key: SigningKey, tbs: bytes) -> bytes:
        """Sign a TBSCertList."""
        request = messages.SignCrl(key.id, key.tenant, tbs)
        return (await self._call(request, messages.Octets, key)).value

    async def sign_response(self, key: SigningKey, data: bytes) -> bytes:
        """Sign a ResponseData."""
        request = messages.SignResponse(key.id, key.tenant, data)
        return (await self._call(request, messages.Octets, key)).value

    async def create_timestamp_key(
        self,
        tenant: TenantId,
        subject: bytes,
        algorithm: KeyAlgorithm,
        signature_algorithm: SignatureAlgorithm,
        policies: tuple[str, ...],
    ) -> SigningKey:
        """Make the key of a time-stamping unit, which stamps under these policies only."""
        purpose = KeyPurpose.TIMESTAMP
        request = messages.CreateKey(
            tenant, purpose, algorithm, signature_algorithm, subject, policies=policies
        )
        made = await self._create(request)
        return SigningKey(
            KeyId(made.key), tenant, purpose, algorithm, signature_algorithm,
            made.public_key, made.sealed,
        )  # fmt: skip

    async def sign_timestamp(self, key: SigningKey, info: bytes, attributes: bytes) -> bytes:
        """Sign the SignedAttributes of a token, whose TSTInfo is shown."""
        request = messages.SignTimestamp(key.id, key.tenant, info, attributes)
        return (await self._call(request, messages.Octets, key)).value

    async def sign_checkpoint(
        self, key: SigningKey, text: str, proof: Sequence[bytes], time: int
    ) -> bytes:
        """Sign a log's checkpoint, with the proof from what the key signed last.

        Raises `Problem(log.inconsistent)` when it does not continue that.
        """
        request = messages.SignCheckpoint(key.id, key.tenant, text, list(proof), time)
        return (await self._call(request, messages.Octets, key)).value

    async def tree_head(self, key: SigningKey) -> tuple[int, bytes]:
        """Size and root of the largest tree that a log's key has signed."""
        request = messages.AskTreeHead(key.id, key.tenant)
        reply = await self._call(request, messages.TreeHead, key)
        return reply.size, reply.root

    async def create_data_key(self, tenant: TenantId, kind: DataKeyKind) -> bytes:
        """A new data key of a tenant, wrapped."""
        return (await self._call(messages.CreateDataKey(tenant, kind), messages.Octets)).value

    async def unwrap_data_key(self, tenant: TenantId, kind: DataKeyKind, wrapped: bytes) -> bytes:
        """A data key in the clear, to be kept in memory only."""
        request = messages.UnwrapDataKey(tenant, kind, wrapped)
        return (await self._call(request, messages.Octets)).value

    async def list_keys(self) -> list[KeyId]:
        """The keys that a token holds; none where keys are kept in their sealed records."""
        return [
            KeyId(key) for key in (await self._call(messages.ListKeys(), messages.KeyList)).keys
        ]

    async def ping(self) -> None:
        """Return when the signer answers."""
        await self._call(messages.Ping(), messages.Done)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.close()

    async def _call(
        self, request: messages.Request, kind: type[R], key: SigningKey | None = None
    ) -> R:
        reply = await self._exchange(request)
        if key is not None:
            reply = await self._with_key(request, reply, key)
        return _expect(kind, reply)

    async def _with_key(
        self, request: messages.Request, reply: messages.Reply, key: SigningKey
    ) -> messages.Reply:
        """The reply; asks again with the key when this run of the signer has not seen it."""
        if not isinstance(reply, messages.KeyNotLoaded):
            return reply
        loaded = await self._exchange(messages.LoadKey(key.id, key.sealed))
        return await self._exchange(request) if isinstance(loaded, messages.Done) else loaded

    async def _exchange(self, request: messages.Request) -> messages.Reply:
        connection = self._connection
        if connection is None or not connection.open:
            connection = await self._connect()
        self._number += 1
        number = self._number
        future: asyncio.Future[messages.Reply] = asyncio.get_running_loop().create_future()
        if isinstance(request, messages.CreateKey):
            connection.patient.add(number)
        connection.wait(number, future)
        octets = self._encoder.encode(messages.Envelope(number, request))
        if len(octets) > _LARGE:
            connection.send_large(len(octets).to_bytes(_HEADER, "big"), octets)
            del octets
        else:
            connection.send(len(octets).to_bytes(_HEADER, "big") + octets)
        try:
            return await future
        finally:
            connection.waiting.pop(number, None)
            connection.patient.discard(number)

    async def _connect(self) -> _Connection:
        async with self._connecting:
            if self._connection is not None and self._connection.open:
                return self._connection
            try:
                loop = asyncio.get_running_loop()
                _transport, connection = await loop.create_unix_connection(
                    _Connection, str(self._socket)
                )
            except OSError as error:
                raise Problem(
                    ProblemCode.SIGNER_UNAVAILABLE, "the signer process is not there"
                ) from error
            self._connection = connection
            return connection


def _expect(kind: type[R], reply: messages.Reply) -> R:
    if isinstance(reply, messages.Refused):
        raise Problem(reply.code, reply.detail, [_finding(each) for each in reply.findings])
    if not isinstance(reply, kind):
        raise Problem(ProblemCode.SIGNER_UNAVAILABLE, "an answer to another question")
    return reply


def _finding(message: messages.FindingMessage) -> Finding:
    return Finding(message.code, Severity(message.severity), message.cites, message.message)
