"""What `tegata audit` says: English here, other languages in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tegata.cli.client import language
from tegata.kernel.wording import translate

FINDINGS: Final[Mapping[str, str]] = {
    "checkpoint.malformed": "the checkpoint is not well formed",
    "signature.invalid": "a signature of a pinned key does not verify",
    "key.unknown": "no pinned key of the log has signed",
    "origin.wrong": "the checkpoint is of another log",
    "root.mismatch": "the entries do not lead to the signed root",
    "leaf.altered": "an entry is not the one that was logged",
    "tile.altered": "a hash in a tile is not the right one",
    "tile.truncated": "a tile is too short",
    "tile.oversize": "a tile is too long",
    "entries.truncated": "a bundle of entries is too short",
    "entries.oversize": "a bundle or an entry is too long",
    "log.rolled-back": "the log is shorter than it was",
    "log.split-view": "two signed checkpoints contradict each other; keep both, they prove it",
    "proof.malformed": "the proof is not well formed",
    "proof.mismatch": "the proof does not lead from this entry to the signed root",
    "event.malformed": "an event is not well formed",
    "event.altered": "an event is not what its digest or number says",
    "event.commitment": "a disclosed value is not the one that was committed to",
    "event.leaf": "the log has another leaf in an event's place",
    "stamp.invalid": "a time-stamp is not of its checkpoint, or not signed",
    "events.gap": "an event is missing",
    "events.chain": "an event does not follow the one before it",
}

SCOPE: Final = "Scope of this check:"
SIGNED: Final = "signature of {key} on the checkpoint of size {size}"
WITNESSED: Final = "quorum {quorum} of the policy on the checkpoint of size {size}"
ALL_LEAVES: Final = "all {leaves} leaves and {tiles} tiles, computed again from the entries"
GREW: Final = "growth from size {old} to size {new}"
PROVEN: Final = "leaf {index} of {size}, with the entry shown"
CHAINED: Final = "events 1 to {last}: digests, chain, disclosed values"
OWN_LEAVES: Final = "{count} leaves of these events, each proven to be in the log"
NOT_CHECKED: Final = "not checked: {what}"
UNPINNED_SIGNATURES: Final = "{count} signatures of keys that are not pinned"
STAMPS: Final = "time-stamp tokens"
STAMPED: Final = "{count} time-stamps from {first} to {last}, on checkpoints that the log continues"
UNTRUSTED_STAMPS: Final = "{count} time-stamps of authorities that --tsa-ca does not name"
NO_STAMPS: Final = "there is no time-stamp of an authority that --tsa-ca names"
NOT_YET: Final = "events that the log does not have yet: {count}"

VERIFIED: Final = "VERIFIED: everything in this scope."
TAMPERED: Final = "TAMPERED: {finding} ({code}: {place})"
CANNOT_TELL: Final = "CANNOT TELL: {reason}"
NO_KEY: Final = "no key is pinned; compare the fingerprint over another channel, then give --vkey"
UNSIGNED: Final = "the checkpoint has no signature of {key}"
UNMET: Final = "the policy is not met: {reason}"
NO_ENTRY: Final = "which event does it prove? Give --event, or --sequence with a platform"
NO_LOG: Final = "give --log, or --context of a platform"
NO_EVENTS: Final = "there is no event"
INCOMPLETE: Final = "something in this scope was not checked"
KEY_SHOWN: Final = "Key: {key}"
FINGERPRINT: Final = "SHA-256 fingerprint: {fingerprint}"
COUNTED: Final = "{count} events, {refused} of them refusals"

TEXTS: Final = (
    *FINDINGS.values(),
    SCOPE, SIGNED, WITNESSED, ALL_LEAVES, GREW, PROVEN, CHAINED, OWN_LEAVES, NOT_CHECKED,
    UNPINNED_SIGNATURES, STAMPS, STAMPED, UNTRUSTED_STAMPS, NO_STAMPS, NOT_YET, VERIFIED, TAMPERED,
    CANNOT_TELL, NO_KEY, UNSIGNED, UNMET, NO_ENTRY, NO_LOG, NO_EVENTS, INCOMPLETE, KEY_SHOWN,
    FINGERPRINT, COUNTED,
)  # fmt: skip


def say(text: str, **values: object) -> str:
    """A text in the language of the environment."""
    return translate(text, language()).format(**values)
