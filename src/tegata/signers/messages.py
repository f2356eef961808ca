"""What a caller and the signer process say to each other: msgpack in length-prefixed frames.

A frame is four octets of length (big-endian), then one encoded `Envelope` or `Answer`.
"""

from __future__ import annotations

import msgspec

from tegata.kernel.problem import ProblemCode
from tegata.profiles.authority import AuthorityBounds

# A CRL of some four million entries.
FRAME_MAXIMUM = 256 * 1024 * 1024


class CreateKey(msgspec.Struct, tag="create-key", forbid_unknown_fields=True):
    """Make a key pair that may sign for one tenant, one purpose and one subject (DER Name).

    `algorithm` and `signature_algorithm` are names of `kernel.signing`. An OCSP responder names
    the CA it answers for: its subject and SubjectPublicKeyInfo. A CA's key may be bound to less
    than its profile says. A time-stamping unit's key names the policies it stamps under.
    """

    tenant: str
    purpose: str
    algorithm: str
    signature_algorithm: str
    subject: bytes
    authority_subject: bytes = b""
    authority_public_key: bytes = b""
    bounds: AuthorityBounds | None = None
    policies: tuple[str, ...] = ()


class AdoptKey(msgspec.Struct, tag="adopt-key", forbid_unknown_fields=True):
    """Take the key of a CA's certificate (DER), if an operator has authorised it for the tenant.

    Without `signature_algorithm` it signs as keys of its algorithm usually do.
    """

    tenant: str
    purpose: str
    certificate: bytes
    signature_algorithm: str = ""


class LoadKey(msgspec.Struct, tag="load-key", forbid_unknown_fields=True):
    """Unseal a key into the signer's memory."""

    key: str
    sealed: bytes


class Reserve(msgspec.Struct, tag="reserve", forbid_unknown_fields=True):
    """Reserve serial numbers for a CA key, durably, before answering. The CRL shard that their
    certificates will name is noted with them."""

    key: str
    tenant: str
    month: int
    size: int
    shard: int


class ListReserved(msgspec.Struct, tag="list-reserved", forbid_unknown_fields=True):
    """Blocks of serials in the signer's journal, from a place in it on."""

    place: int
    limit: int


class LoadProfile(msgspec.Struct, tag="load-profile", forbid_unknown_fields=True):
    """Read a tenant's profile document, in canonical form, and remember it by its digest."""

    document: bytes


class SignCertificate(msgspec.Struct, tag="sign-certificate", forbid_unknown_fields=True):
    """Sign a whole TBSCertificate under a reserved serial, with its lint proof.

    `profile` is the name of a built-in one, or ``sha256:`` and the digest of a document.
    """

    key: str
    tenant: str
    tbs: bytes
    block: str
    counter: int
    profile: str
    rule_set: bytes
    linted: bytes


class SignRequest(msgspec.Struct, tag="sign-request", forbid_unknown_fields=True):
    """Sign a whole CertificationRequestInfo (RFC 2986) for a CA's own key."""

    key: str
    tenant: str
    info: bytes


class SignCrl(msgspec.Struct, tag="sign-crl", forbid_unknown_fields=True):
    """Sign a whole TBSCertList."""

    key: str
    tenant: str
    tbs: bytes


class SignResponse(msgspec.Struct, tag="sign-response", forbid_unknown_fields=True):
    """Sign a whole OCSP ResponseData."""

    key: str
    tenant: str
    data: bytes


class SignTimestamp(msgspec.Struct, tag="sign-timestamp", forbid_unknown_fields=True):
    """Sign the SignedAttributes of a time-stamp token, with the whole TSTInfo they are for."""

    key: str
    tenant: str
    info: bytes
    attributes: bytes


class SignCheckpoint(msgspec.Struct, tag="sign-checkpoint", forbid_unknown_fields=True):
    """Sign a log's whole checkpoint, proved to continue the one that this key signed last.

    `time` is Unix seconds, for a cosignature; 0 for a key that signs the text itself.
    """

    key: str
    tenant: str
    text: str
    proof: list[bytes]
    time: int


class AskTreeHead(msgspec.Struct, tag="ask-tree-head", forbid_unknown_fields=True):
    """Which tree has this log key signed last?"""

    key: str
    tenant: str


class CreateDataKey(msgspec.Struct, tag="create-data-key", forbid_unknown_fields=True):
    """Make a tenant's data key and answer it wrapped."""

    tenant: str
    kind: str


class UnwrapDataKey(msgspec.Struct, tag="unwrap-data-key", forbid_unknown_fields=True):
    """Unwrap a tenant's data key."""

    tenant: str
    kind: str
    wrapped: bytes


class ListKeys(msgspec.Struct, tag="list-keys", forbid_unknown_fields=True):
    """Which keys does the token hold?"""


class Ping(msgspec.Struct, tag="ping", forbid_unknown_fields=True):
    """Are you there?"""


Administration = (
    CreateKey | AdoptKey | CreateDataKey | UnwrapDataKey | ListKeys | ListReserved | Ping
)
Signing = SignCertificate | SignRequest | SignCrl | SignResponse | SignTimestamp | SignCheckpoint
Request = Signing | AskTreeHead | Reserve | LoadKey | LoadProfile | Administration


class Envelope(msgspec.Struct, array_like=True):
    """A request with the number that its answer will carry."""

    number: int
    request: Request


class KeyCreated(msgspec.Struct, tag="key-created"):
    """A new key: its id, SubjectPublicKeyInfo and sealed record; of an adopted one, what it is
    and how it signs."""

    key: str
    public_key: bytes
    sealed: bytes
    algorithm: str = ""
    signature_algorithm: str = ""


class Reserved(msgspec.Struct, tag="reserved"):
    """A reserved block and the key that lists its serials."""

    block: str
    prf_key: bytes


class ReservedBlock(msgspec.Struct, array_like=True):
    """A block of the signer's journal, and where its record ends."""

    tenant: str
    key: str
    block: str
    month: int
    size: int
    prf_key: bytes
    shard: int
    end: int


class ReservedBlocks(msgspec.Struct, tag="reserved-blocks"):
    """Blocks of the signer's journal; none when there is no more."""

    blocks: list[ReservedBlock]


class Octets(msgspec.Struct, tag="octets"):
    """A signature, a wrapped key or an unwrapped one."""

    value: bytes


class TreeHead(msgspec.Struct, tag="tree-head"):
    """The largest tree that a log key has signed."""

    size: int
    root: bytes


class KeyList(msgspec.Struct, tag="key-list"):
    """Ids of keys."""

    keys: list[str]


class Done(msgspec.Struct, tag="done"):
    """Nothing more to say."""


class KeyNotLoaded(msgspec.Struct, tag="key-not-loaded"):
    """Load the key first, then ask again."""


class ProfileNotLoaded(msgspec.Struct, tag="profile-not-loaded"):
    """Load the profile's document first, then ask again."""


class FindingMessage(msgspec.Struct, array_like=True):
    """A lint finding on the wire."""

    code: str
    severity: str
    cites: str
    message: str


class Refused(msgspec.Struct, tag="refused"):
    """The signer refuses."""

    code: ProblemCode
    detail: str
    findings: list[FindingMessage] = []


Reply = (
    KeyCreated
    | Reserved
    | ReservedBlocks
    | Octets
    | TreeHead
    | KeyList
    | Done
    | KeyNotLoaded
    | ProfileNotLoaded
    | Refused
)


class Answer(msgspec.Struct, array_like=True):
    """A reply with the number of its request."""

    number: int
    reply: Reply
