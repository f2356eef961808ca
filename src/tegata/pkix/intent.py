"""What a person signs with a card: one structure for log-ins and for documents (ADR 23).

Agent and service both make these octets from its fields, and neither signs or accepts a digest
that somebody else computed. Octet by octet:

    74 65 67 61 74 61 2D 69 6E 74 65 6E 74 2D 76 31 00      "tegata-intent-v1", then one zero octet
    7B … 7D                                                 one JSON object, canonical

Canonical is RFC 8785 (JCS) for an object of strings: names in ascending order, no white space,
UTF-8, `"` and `\\` escaped by `\\`. No value holds a control character, so nothing else is escaped.
The fields:

    "challenge"       the session's challenge: 32 octets, base64url without padding (43 characters)
    "document"        purpose "sign" only: SHA-256 of the document in 64 hex digits, lower case
    "origin"          where the session was opened: scheme and authority of an https URL, lower case
    "purpose"         "authenticate" (user-authentication key) or "sign" (signing key)
    "relying_party"   the relying party's name as the person was shown it, 1 to 200 characters
    "session"         the session's id, 1 to 64 of A-Z a-z 0-9 . _ -

The digest is SHA-256 over all of it, and what the card is given is its DigestInfo. The prefix ends
in a zero octet, which no JSON and no DER structure of ours begins with, so a signature over an
intent is a signature over nothing else; the purpose stands inside, so a log-in is no document's
signature, whichever key made it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

INTENT_PREFIX: Final = b"tegata-intent-v1\x00"
CHIP_PREFIX: Final = b"tegata-chip-v1\x00"
CHALLENGE_OCTETS: Final = 32
# An intent has at most this many octets; what is longer is not parsed.
INTENT_MAXIMUM: Final = 4096

_NAME_MAXIMUM = 200
_SESSION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ORIGIN = re.compile(r"https://(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Cc, Cf (with the marks that turn the direction of text), Cs, Co, Cn, Zl, Zp: what is signed must
# look like what is shown.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# RFC 8017 section 9.2, note 1.
_SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class IntentInvalid(ValueError):
    """Fields, or octets, that are not an intent; the message says which field."""


class IntentPurpose(StrEnum):
    """What the person does by signing."""

    AUTHENTICATE = "authenticate"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a person is asked to sign. `document` is SHA-256 of the document; None to log in."""

    purpose: IntentPurpose
    relying_party: str
    origin: str
    session: str
    challenge: bytes
    document: bytes | None = None

    def __post_init__(self) -> None:
        name = self.relying_party
        if not 1 <= len(name) <= _NAME_MAXIMUM or name != name.strip() or not _is_visible(name):
            raise IntentInvalid("relying_party")
        if not _ORIGIN.fullmatch(self.origin):
            raise IntentInvalid("origin")
        if not _SESSION.fullmatch(self.session):
            raise IntentInvalid("session")
        if len(self.challenge) != CHALLENGE_OCTETS:
            raise IntentInvalid("challenge")
        signs = self.purpose is IntentPurpose.SIGN
        if signs != (self.document is not None) or len(self.document or bytes(32)) != 32:
            raise IntentInvalid("document")


def encode_intent(intent: Intent) -> bytes:
    """The octets that are hashed and signed."""
    fields = {
        "challenge": base64.urlsafe_b64encode(intent.challenge).rstrip(b"=").decode(),
        "origin": intent.origin,
        "purpose": intent.purpose.value,
        "relying_party": intent.relying_party,
        "session": intent.session,
    }
    if intent.document is not None:
        fields["document"] = intent.document.hex()
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return INTENT_PREFIX + text.encode()


def parse_intent(octets: bytes) -> Intent:
    """Read an intent back; `IntentInvalid` unless these are exactly the octets it encodes to."""
    if len(octets) > INTENT_MAXIMUM or not octets.startswith(INTENT_PREFIX):
        raise IntentInvalid("not an intent")
    try:
        fields = json.loads(octets[len(INTENT_PREFIX) :].decode())
    except (ValueError, RecursionError) as error:
        raise IntentInvalid("not JSON") from error
    if not isinstance(fields, dict) or not all(isinstance(each, str) for each in fields.values()):
        raise IntentInvalid("not an object of strings")
    try:
        challenge, digest = fields["challenge"], fields.get("document")
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise IntentInvalid("document")
        intent = Intent(
            purpose=IntentPurpose(fields["purpose"]),
            relying_party=fields["relying_party"],
            origin=fields["origin"],
            session=fields["session"],
            challenge=base64.urlsafe_b64decode(challenge + "=" * (-len(challenge) % 4)),
            document=None if digest is None else bytes.fromhex(digest),
        )
    except KeyError as error:
        raise IntentInvalid(f"{error.args[0]} is missing") from error
    except ValueError as error:
        raise error if isinstance(error, IntentInvalid) else IntentInvalid(str(error)) from error
    # Another order, a name twice, white space, a field too many: other octets, another digest.
    if encode_intent(intent) != octets:
        raise IntentInvalid("not canonical")
    return intent


def document_digest(document: bytes) -> bytes:
    """What an intent says of a document: SHA-256 of its octets."""
    return hashlib.sha256(document).digest()


def intent_digest(intent: Intent) -> bytes:
    """SHA-256 of the intent's octets."""
    return hashlib.sha256(encode_intent(intent)).digest()


def digest_info(digest: bytes) -> bytes:
    """The DigestInfo (RFC 8017 section 9.2) of a SHA-256 digest: 51 octets."""
    if len(digest) != hashlib.sha256().digest_size:
        raise IntentInvalid("not a SHA-256 digest")
    return _SHA256_DIGEST_INFO + digest


def chip_octets(session: str, challenge: bytes) -> bytes:
    """What a card's chip signs to show that it is no copy: bound to a session's challenge.

    `CHIP_PREFIX`, the session's id, a zero octet, the challenge. Its SHA-256, as DigestInfo, is
    given to the chip's own key (EF 0013 of the text application), which speaks for no person.
    """
    if not _SESSION.fullmatch(session):
        raise IntentInvalid("session")
    if len(challenge) != CHALLENGE_OCTETS:
        raise IntentInvalid("challenge")
    return CHIP_PREFIX + session.encode() + b"\x00" + challenge


def _is_visible(text: str) -> bool:
    return all(unicodedata.category(character) not in _INVISIBLE for character in text)
