"""Audit events: what is written in the transaction of every act and of every refusal.

The canonical form fixed here is what the transparency log commits to. It is a JSON object in
the JSON Canonicalization Scheme (RFC 8785; keys are ASCII, values are strings, integers and
lists of strings, so sorting by code point and by UTF-16 unit agree). See
`docs/reference/audit-events.md` for every member.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from tegata.kernel.ids import TenantId
from tegata.kernel.scope import Actor

EVENT_VERSION = 1
_LEAF_CONTEXT = b"tegata-event-leaf/v1\n"
SALT_OCTETS = 16
# The digest that the first event of a tenant names as its predecessor's.
NO_PREVIOUS = bytes(32)
# What the standard library's encoder writes for text: the escapes of RFC 8785 section 3.2.2.2.
_json_text = json.encoder.encode_basestring
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_CANONICAL_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Decision(StrEnum):
    """Whether the act was done or refused."""

    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event as a use case writes it: not yet numbered, not yet chained.

    `action` is dotted ``source:subject:action`` text and stable. `subject` names the thing
    acted on (``certificate:crt_...``); only its digest enters the record. `private` holds
    personal and confidential values: each enters as a salted commitment of its own, and the
    values with their salts are kept sealed under the tenant's disclosure key.
    """

    actor: Actor
    action: str
    decision: Decision
    subject: str
    request_digest: bytes
    code: str = ""
    private: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A private value with its salt: base64url text of the JSON list [salt, name, value]."""

    text: str

    def commitment(self) -> str:
        """SHA-256 of the disclosure's ASCII text, in base64url without padding (RFC 9901)."""
        return base64url(hashlib.sha256(self.text.encode("ascii")).digest())


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An event with its place in its tenant's record."""

    tenant: TenantId
    sequence: int
    canonical: bytes
    digest: bytes


def disclose(name: str, value: str, salt: bytes) -> Disclosure:
    """Make the disclosure of one private value; `salt` is 128 fresh random bits."""
    text = f'["{base64url(salt)}",{_json_text(name)},{_json_text(value)}]'
    return Disclosure(base64url(text.encode()))


def chain_event(
    event: AuditEvent,
    commitments: Sequence[str],
    tenant: TenantId,
    sequence: int,
    previous: bytes,
    instant: datetime,
) -> ChainedEvent:
    """Number an event, link it to its predecessor and fix its canonical octets.

    `sequence` is 1 for a tenant's first event, whose `previous` is `NO_PREVIOUS`.
    """
    # `canonical_json` of these members, written out: it is done for every act of the platform.
    listed = ",".join([f'"{commitment}"' for commitment in sorted(commitments)])
    subject = hashlib.sha256(event.subject.encode()).hexdigest()
    canonical = (
        f'{{"action":{_json_text(event.action)},'
        f'"actor":{_json_text(f"{event.actor.kind}:{event.actor.id}")},'
        f'"code":{_json_text(event.code)},"commitments":[{listed}],'
        f'"decision":"{event.decision}","previous":"{previous.hex()}",'
        f'"request":"{event.request_digest.hex()}","sequence":{sequence},'
        f'"subject":"{subject}","tenant":{_json_text(tenant)},'
        f'"time":"{_utc_text(instant)}","version":{EVENT_VERSION}}}'
    ).encode()
    return ChainedEvent(tenant, sequence, canonical, hashlib.sha256(canonical).digest())


def log_entry(salt: bytes, canonical: bytes) -> bytes:
    """An event's entry in the transparency log: a commitment that says nothing without the salt,
    which is 128 fresh random bits (docs/reference/log.md)."""
    return hashlib.sha256(_LEAF_CONTEXT + salt + canonical).digest()


def _utc_text(instant: datetime) -> str:
    # Half a dozen times as fast as strftime.
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def canonical_json(value: Mapping[str, str | int | Sequence[str]]) -> bytes:
    """RFC 8785 octets of an object of strings, integers below 2**53 and lists of strings."""
    return _CANONICAL_ENCODER.encode(value).encode()


def base64url(octets: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    text = binascii.b2a_base64(octets, newline=False)
    return text.translate(_URL_SAFE, b"=").decode("ascii")
