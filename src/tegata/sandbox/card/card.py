"""The card: takes command APDUs and answers them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from tegata.kernel.ports import Randomness
from tegata.sandbox.card.apdu import Command, Refused, Status, answer, parse_command
from tegata.sandbox.card.files import Application, DataFile, File, KeyFile, PinFile, RecordFile
from tegata.sandbox.card.memory import CardMemory

# A contact card without historical bytes; the last octet is the check octet.
ATR: Final = bytes.fromhex("3BE000FF8131FE4514")
_ISSUER_DOMAIN = bytes.fromhex("A0000001510000")
_CURRENT = 0x80
_SFI_MAXIMUM = 30
# What EMSA-PKCS1-v1_5 leaves of 256 octets (RFC 8017 section 9.2).
_PADDED_MAXIMUM = 245
_PIN_MAXIMUM = 16
_DIGEST = hashlib.sha256().digest_size

Handler = Callable[[Command], bytes]


class CardPulled(Exception):
    """The card was pulled out of the reader: no answer comes."""


class Card:
    """One card. It serves one reader: its commands come one after the other.

    `pull_after` pulls it out in the middle of that command (1 is the next one).
    """

    def __init__(
        self,
        applications: Sequence[Application],
        memory: CardMemory,
        randomness: Randomness,
        *,
        phone: bool = False,
        pull_after: int | None = None,
    ) -> None:
        self._applications: Mapping[bytes, Application] = {each.aid: each for each in applications}
        self._memory = memory
        self._randomness = randomness
        self._phone = phone
        self._pull_after = pull_after
        self._application: Application | None = None
        self._file: int | None = None
        self._verified: set[int] = set()
        self._handlers: dict[tuple[int, int], Handler] = {
            (0x00, 0xA4): self._select,
            (0x00, 0xB0): self._read_binary,
            (0x00, 0xB2): self._read_record,
            (0x00, 0x20): self._verify,
            (0x00, 0x24): self._change,
            (0x80, 0x32): self._change,
            (0x80, 0x2A): self._sign,
            (0x00, 0x84): self._challenge,
            (0x00, 0x88): self._authenticate,
            (0x00, 0xCA): self._get_data,
            (0x80, 0xFC): self._phone_only,
        }

    def reset(self) -> None:
        """Power off, on, or reset: everything that the card knows of this session is gone."""
        self._application, self._file = None, None
        self._verified = set()

    def apdu(self, octets: bytes) -> bytes:
        """Answer a command APDU; `CardPulled` instead of an answer."""
        if self._pull_after is not None:
            self._pull_after -= 1
            if self._pull_after <= 0:
                self._pull_after = None
                self.reset()
                raise CardPulled
        try:
            command = parse_command(octets)
            return answer(Status.OK, self._handler(command)(command))
        except Refused as refused:
            return answer(refused.status)

    def _handler(self, command: Command) -> Handler:
        if command.cla & 0x70 or command.cla == 0xFF:
            raise Refused(Status.CLASS_UNKNOWN)
        if command.cla & 0x03:
            raise Refused(Status.CHANNEL_UNSUPPORTED)
        if command.cla & 0x0C:
            raise Refused(Status.SECURE_MESSAGING_UNSUPPORTED)
        handler = self._handlers.get((command.cla, command.ins))
        if handler is None:
            raise Refused(Status.INSTRUCTION_UNKNOWN)
        return handler

    # -------------------------------------------------------------------------- files

    def _select(self, command: Command) -> bytes:
        if command.p1 == 0x04 and command.p2 in (0x00, 0x0C):
            self._select_application(command.data)
        elif command.p1 == 0x02 and command.p2 == 0x0C:
            if len(command.data) != 2:
                raise Refused(Status.WRONG_LENGTH)
            self._file = self._require_file(int.from_bytes(command.data, "big"))
        elif command.p1 == 0x00 and command.p2 == 0x00 and command.data:
            raise Refused(Status.FILE_NOT_FOUND)  # the master file has no identifier here
        elif command.p1 != 0x00 or command.p2 != 0x00 or self._application is None:
            raise Refused(Status.WRONG_PARAMETERS)
        return b""

    def _select_application(self, aid: bytes) -> None:
        chosen = self._applications.get(aid)
        if chosen is None and aid != _ISSUER_DOMAIN:
            raise Refused(Status.FILE_NOT_FOUND)
        # PINs are verified for the application that is selected, until another is, or it again.
        self._application, self._file, self._verified = chosen, None, set()

    def _require_file(self, identifier: int) -> int:
        if self._application is None or identifier not in self._application.files:
            raise Refused(Status.FILE_NOT_FOUND)
        return identifier

    def _find(self, identifier: int | None) -> File | None:
        if self._application is None or identifier is None:
            return None
        return self._application.files.get(identifier)

    def _read_binary(self, command: Command) -> bytes:
        if command.data or command.expected is None:
            raise Refused(Status.WRONG_LENGTH)
        if command.p1 & 0x80:
            if command.p1 & 0x60 or not 1 <= command.p1 & 0x1F <= _SFI_MAXIMUM:
                raise Refused(Status.WRONG_PARAMETERS)
            self._file, offset = self._require_file(command.p1 & 0x1F), command.p2
        else:
            offset = command.p1 << 8 | command.p2
        file = self._find(self._file)
        if file is None:
            raise Refused(Status.NO_CURRENT_FILE)
        if not isinstance(file, DataFile):
            raise Refused(Status.FILE_INCOMPATIBLE)
        self._require_access(file.access)
        if offset >= len(file.content):
            raise Refused(Status.OFFSET)
        return file.content[offset : offset + command.expected]

    def _read_record(self, command: Command) -> bytes:
        if command.data or command.expected is None:
            raise Refused(Status.WRONG_LENGTH)
        if command.p2 & 0x07 != 0x04:
            raise Refused(Status.WRONG_PARAMETERS)
        sfi = command.p2 >> 3
        if sfi:
            self._file = self._require_file(sfi)
        file = self._find(self._file)
        if file is None:
            raise Refused(Status.NO_CURRENT_FILE)
        if not isinstance(file, RecordFile):
            raise Refused(Status.FILE_INCOMPATIBLE)
        if not 1 <= command.p1 <= len(file.records):
            raise Refused(Status.RECORD_NOT_FOUND)
        return file.records[command.p1 - 1][: command.expected]

    def _require_access(self, access: frozenset[int]) -> None:
        if access and not access & self._verified:
            raise Refused(Status.SECURITY_STATUS)

    # --------------------------------------------------------------------------- PINs

    def _verify(self, command: Command) -> bytes:
        if command.p1:
            raise Refused(Status.WRONG_PARAMETERS)
        identifier = self._referenced(command.p2)
        pin, name = self._pin(identifier)
        left = self._memory.left(name, pin)
        if not command.data:
            # A question for the counter: it costs no try, and is answered alike after a success.
            raise Refused(Status.WRONG_UNLIMITED if left is None else Status.TRIES_LEFT | left)
        if len(command.data) > _PIN_MAXIMUM:
            raise Refused(Status.WRONG_LENGTH)
        if left == 0:
            raise Refused(Status.BLOCKED)
        if not hmac.compare_digest(command.data, self._memory.value(name, pin)):
            self._verified.discard(identifier)
            if left is None:
                raise Refused(Status.WRONG_UNLIMITED)
            self._memory.set_left(name, left - 1)
            raise Refused(Status.TRIES_LEFT | left - 1)
        if left is not None and left != pin.tries:
            self._memory.set_left(name, pin.tries or 0)
        self._verified.add(identifier)
        return b""

    def _change(self, command: Command) -> bytes:
        application = self._application
        if application is None or application.change != (command.cla, command.ins):
            raise Refused(Status.INSTRUCTION_UNKNOWN)
        if command.p1 != (0x01 if command.ins == 0x24 else 0x00):
            raise Refused(Status.WRONG_PARAMETERS)
        identifier = self._referenced(command.p2)
        pin, name = self._pin(identifier)
        if not pin.changeable:
            raise Refused(Status.CONDITIONS)
        self._require_access(frozenset({identifier}))
        if not pin.form.allows(command.data):
            raise Refused(Status.DATA_REFUSED)
        self._memory.set_value(name, command.data)
        return b""

    def _referenced(self, p2: int) -> int:
        """The file that P2 names: the current one, or one by its short identifier."""
        if p2 & 0xE0 != _CURRENT:
            raise Refused(Status.WRONG_PARAMETERS)
        if p2 == _CURRENT:
            if self._file is None:
                raise Refused(Status.NO_CURRENT_FILE)
            return self._file
        if self._find(p2 & 0x1F) is None:
            raise Refused(Status.REFERENCE_NOT_FOUND)
        return p2 & 0x1F

    def _pin(self, identifier: int) -> tuple[PinFile, str]:
        file = self._find(identifier)
        if self._application is None or not isinstance(file, PinFile):
            raise Refused(Status.FILE_INCOMPATIBLE)
        return file, f"{self._application.name}/{identifier:04X}"

    # --------------------------------------------------------------------------- keys

    def _sign(self, command: Command) -> bytes:
        if command.p1 > 0x05:
            raise Refused(Status.WRONG_PARAMETERS)
        try:
            identifier = self._referenced(command.p2)
        except Refused as refused:
            if refused.status == Status.NO_CURRENT_FILE:
                raise Refused(Status.CONDITIONS) from refused
            raise
        file = self._find(identifier)
        if not isinstance(file, KeyFile) or file.internal:
            raise Refused(Status.CONDITIONS)
        self._require_access(file.access)
        return _signature(file.key(), command.p1, command.data)

    def _challenge(self, command: Command) -> bytes:
        if command.p1 or command.p2:
            raise Refused(Status.WRONG_PARAMETERS)
        if command.data or command.expected is None or command.expected > 256:
            raise Refused(Status.WRONG_LENGTH)
        return self._randomness.octets(command.expected)

    def _authenticate(self, command: Command) -> bytes:
        if command.p1:
            raise Refused(Status.WRONG_PARAMETERS)
        file = self._find(self._referenced(command.p2))
        if not isinstance(file, KeyFile) or not file.internal:
            raise Refused(Status.CONDITIONS)
        if not command.data:
            raise Refused(Status.WRONG_LENGTH)
        return file.key().sign(command.data, padding.PKCS1v15(), hashes.SHA256())

    def _get_data(self, command: Command) -> bytes:
        if (command.p1, command.p2) != (0x5F, 0x51):
            raise Refused(Status.REFERENCE_NOT_FOUND)
        return ATR[1:]

    def _phone_only(self, command: Command) -> bytes:
        if not self._phone:
            raise Refused(Status.WRONG_LENGTH)
        if command.p1 or command.p2:
            raise Refused(Status.WRONG_PARAMETERS)
        return b""


def _signature(key: rsa.RSAPrivateKey, scheme: int, data: bytes) -> bytes:
    """COMPUTE DIGITAL SIGNATURE: which octets are padded, and how, is P1's to say."""
    if not data or (scheme in (2, 4) and len(data) != _DIGEST):
        raise Refused(Status.WRONG_LENGTH)
    digest = data if scheme in (2, 4) else hashlib.sha256(data).digest()
    if scheme in (4, 5):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), _DIGEST)
        return key.sign(digest, pss, utils.Prehashed(hashes.SHA256()))
    if scheme in (2, 3):
        return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    content = data if scheme == 0 else digest
    if len(content) > _PADDED_MAXIMUM:
        raise Refused(Status.WRONG_LENGTH)
    return key.sign(content, padding.PKCS1v15(), utils.NoDigestInfo())
