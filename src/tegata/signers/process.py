"""The signer process: frames in, decisions, signatures, frames out.

Requests of one connection are decided in order; signatures of a blocking back end (an HSM) are
made in a bounded pool of threads, so a slow device delays only what waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import cast

import msgspec

from tegata.kernel.problem import Problem, ProblemCode
from tegata.signers import messages
from tegata.signers.custodian import Custodian, KeyMissing, Permission, PlannedKey
from tegata.signers.profile_book import ProfileMissing

_LOG = logging.getLogger(__name__)
_HEADER = 4
# Octets of a frame past which copies are counted.
_LARGE = 1 << 20


class SignerProtocol(asyncio.Protocol):
    """One caller's connection."""

    def __init__(self, custodian: Custodian, pool: Executor | None) -> None:
        self._custodian = custodian
        self._pool = pool
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._decoder = msgspec.msgpack.Decoder(messages.Envelope)
        self._encoder = msgspec.msgpack.Encoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole frame."""
        self._buffer += data
        answers = bytearray()
        while len(self._buffer) >= _HEADER:
            size = int.from_bytes(self._buffer[:_HEADER], "big")
            if size > messages.FRAME_MAXIMUM:
                _LOG.error("a frame of %d octets: connection closed", size)
                self._close()
                return
            if len(self._buffer) < _HEADER + size:
                break
            if size > _LARGE:
                with memoryview(self._buffer) as view:
                    frame = bytes(view[_HEADER : _HEADER + size])
            else:
                frame = bytes(self._buffer[_HEADER : _HEADER + size])
            del self._buffer[: _HEADER + size]
            answers += self._answer(frame)
        if answers and self._transport is not None:
            self._transport.write(bytes(answers))

    def _answer(self, frame: bytes) -> bytes:
        try:
            envelope = self._decoder.decode(frame)
        except msgspec.DecodeError:
            _LOG.exception("a frame that is not a request: connection closed")
            self._close()
            return b""
        return self._decide(envelope)

    def _decide(self, envelope: messages.Envelope) -> bytes:
        try:
            outcome = self._dispatch(envelope.request)
        except KeyMissing:
            outcome = messages.KeyNotLoaded()
        except ProfileMissing:
            outcome = messages.ProfileNotLoaded()
        except Problem as problem:
            outcome = _refusal(problem)
        except Exception:  # noqa: BLE001
            # A bug: logged whole, answered with no detail.
            _LOG.exception("the signer failed")
            outcome = messages.Refused(ProblemCode.SIGNER_UNAVAILABLE, "")
        if isinstance(outcome, PlannedKey):
            self._make_in_pool(envelope.number, outcome)
            return b""
        if isinstance(outcome, Permission):
            if self._pool is not None:
                self._sign_in_pool(envelope.number, outcome)
                return b""
            outcome = messages.Octets(outcome.key.private.sign(outcome.octets))
        return self._frame(envelope.number, outcome)

    def _dispatch(self, request: messages.Request) -> messages.Reply | Permission | PlannedKey:
        custodian = self._custodian
        match request:
            case messages.SignCertificate():
                return custodian.may_sign_certificate(request)
            case messages.SignRequest():
                return custodian.may_sign_request(request)
            case messages.SignResponse():
                return custodian.may_sign_response(request)
            case messages.SignTimestamp():
                return custodian.may_sign_timestamp(request)
            case messages.SignCrl():
                return custodian.may_sign_crl(request)
            case messages.SignCheckpoint():
                return custodian.may_sign_checkpoint(request)
            case messages.AskTreeHead():
                return custodian.tree_head(request)
            case messages.Reserve():
                block = custodian.reserve(request)
                return messages.Reserved(block.id, block.prf_key)
            case messages.LoadKey() | messages.LoadProfile():
                custodian.load(request)
                return messages.Done()
            case other:
                return self._administer(other)

    def _administer(self, request: messages.Administration) -> messages.Reply | PlannedKey:
        custodian = self._custodian
        match request:
            case messages.CreateKey():
                return custodian.may_create_key(request)
            case messages.AdoptKey():
                return custodian.adopt_foreign(request)
            case messages.CreateDataKey():
                return messages.Octets(custodian.create_data_key(request))
            case messages.UnwrapDataKey():
                return messages.Octets(custodian.unwrap_data_key(request))
            case messages.ListReserved():
                return custodian.reserved_after(request)
            case messages.ListKeys():
                return custodian.list_keys()
            case messages.Ping():
                return messages.Done()

    def _sign_in_pool(self, number: int, permission: Permission) -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, permission.key.private.sign, permission.octets)
        future.add_done_callback(lambda done: self._signed(number, done))

    def _make_in_pool(self, number: int, planned: PlannedKey) -> None:
        # RSA keys take seconds to make: signatures must not wait for them.
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, self._custodian.make_key, planned)
        future.add_done_callback(lambda done: self._made(number, planned, done))

    def _made(
        self, number: int, planned: PlannedKey, done: asyncio.Future[tuple[bytes, bytes]]
    ) -> None:
        reply: messages.Reply
        try:
            reply = self._custodian.adopt_key(planned, *done.result())
        except Problem as problem:
            reply = _refusal(problem)
        except Exception:  # noqa: BLE001 (a bug, or the back end's failure: logged whole)
            _LOG.exception("a key could not be made")
            reply = messages.Refused(ProblemCode.SIGNER_UNAVAILABLE, "the key could not be made")
        self._reply(number, reply)

    def _signed(self, number: int, done: asyncio.Future[bytes]) -> None:
        error = done.exception()
        reply: messages.Reply
        if error is None:
            reply = messages.Octets(done.result())
        else:
            _LOG.error("the key's back end failed", exc_info=error)
            reply = messages.Refused(ProblemCode.SIGNER_UNAVAILABLE, "the key's back end failed")
        self._reply(number, reply)

    def _reply(self, number: int, reply: messages.Reply) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._frame(number, reply))

    def _frame(self, number: int, reply: messages.Reply) -> bytes:
        octets = self._encoder.encode(messages.Answer(number, reply))
        return len(octets).to_bytes(_HEADER, "big") + octets

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _refusal(problem: Problem) -> messages.Refused:
    findings = [
        messages.FindingMessage(each.code, each.severity, each.cites, each.message)
        for each in problem.findings
    ]
    return messages.Refused(problem.code, problem.detail, findings)


async def serve_signer(
    custodian: Custodian, pool: Executor | None, socket: Path, ready: Callable[[], None]
) -> None:
    """Answer on a Unix socket that only this user may reach, until cancelled."""
    socket.unlink(missing_ok=True)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(
        lambda: SignerProtocol(custodian, pool), path=str(socket), backlog=64
    )
    socket.chmod(0o600)
    ready()
    async with server:
        await server.serve_forever()
