"""A detached SignedData with one signer, as far as a verifier of one signature must read it
(RFC 5652 section 5). Nothing here is verified."""

from __future__ import annotations

from dataclasses import dataclass

from tegata.pkix import oids
from tegata.pkix.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    DerError,
    content_of,
    dotted,
    split,
    split_integer,
    wrap,
)

MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
_SIGNER_BY_KEY = 0x80
# rsaEncryption and sha256WithRSAEncryption name the same signature (RFC 5754 section 3.2).
_SIGNATURES = (oids.RSA_ENCRYPTION, oids.SHA256_WITH_RSA)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A signature by RSA PKCS #1 v1.5 and SHA-256.

    `signed_attributes` is the SET OF that was signed (DER), and `message_digest` what stands in
    it; without attributes it is None, and the content itself was signed. `signer_serial` is None
    where the signer is named by key identifier.
    """

    certificates: tuple[bytes, ...]
    signer_serial: int | None
    message_digest: bytes | None
    signed_attributes: bytes
    signature: bytes


def parse_signed_message(octets: bytes) -> SignedMessage:
    """Read a ContentInfo; `DerError` for anything but a detached signature of one signer."""
    outer = split(content_of(octets, SEQUENCE))
    if [tag for tag, _content in outer] != [OBJECT_IDENTIFIER, 0xA0]:
        raise DerError("not a ContentInfo")
    if dotted(outer[0][1]) != oids.CMS_SIGNED_DATA:
        raise DerError("not SignedData")
    fields = split(content_of(outer[1][1], SEQUENCE))
    tags = [tag for tag, _content in fields]
    optional = [tag for tag in tags[3:-1] if tag in (0xA0, 0xA1)]
    if tags[:3] != [INTEGER, SET, SEQUENCE] or tags[3:] != [*optional, SET]:
        raise DerError("not SignedData")
    content = split(fields[2][1])
    if len(content) != 1 or content[0][0] != OBJECT_IDENTIFIER:
        raise DerError("the content is not detached")
    certificates: tuple[bytes, ...] = ()
    if 0xA0 in optional:
        certificates = tuple(wrap(*each) for each in split(fields[3][1]))
    signers = split(fields[-1][1])
    if len(signers) != 1 or signers[0][0] != SEQUENCE:
        raise DerError("one signer")
    return _signer(signers[0][1], certificates, dotted(content[0][1]))


def _signer(octets: bytes, certificates: tuple[bytes, ...], content_type: str) -> SignedMessage:
    fields = split(octets)
    if len(fields) < 5 or fields[0][0] != INTEGER or fields[1][0] not in (SEQUENCE, _SIGNER_BY_KEY):
        raise DerError("not a SignerInfo")
    _version, identifier, digest_algorithm, *rest = fields
    serial = None
    if identifier[0] == SEQUENCE:
        named = split(identifier[1])
        if len(named) != 2 or named[1][0] != INTEGER:
            raise DerError("not issuer and serial number")
        serial = split_integer(named[1][1])
    attributes = rest.pop(0)[1] if rest[0][0] == 0xA0 else None
    if rest and rest[-1][0] == 0xA1:
        rest.pop()
    if [tag for tag, _content in rest] != [SEQUENCE, OCTET_STRING]:
        raise DerError("not a SignerInfo")
    if _algorithm(*digest_algorithm) != oids.SHA256 or _algorithm(*rest[0]) not in _SIGNATURES:
        raise DerError("not RSA PKCS #1 v1.5 with SHA-256")
    if attributes is None:
        if content_type != oids.CMS_DATA:
            # RFC 5652 section 5.3: signedAttrs MUST be there.
            raise DerError("no signed attributes")
        return SignedMessage(certificates, serial, None, b"", rest[1][1])
    digest = _message_digest(attributes, content_type)
    # RFC 5652 section 5.4: what was signed has the tag of SET OF.
    return SignedMessage(certificates, serial, digest, wrap(SET, attributes), rest[1][1])


def _algorithm(tag: int, content: bytes) -> str:
    parts = split(content)
    if tag != SEQUENCE or not parts or parts[0][0] != OBJECT_IDENTIFIER:
        raise DerError("not an AlgorithmIdentifier")
    return dotted(parts[0][1])


def _message_digest(attributes: bytes, content_type: str) -> bytes:
    found: dict[str, bytes] = {}
    for tag, content in split(attributes):
        parts = split(content)
        if tag != SEQUENCE or [each[0] for each in parts] != [OBJECT_IDENTIFIER, SET]:
            raise DerError("not an Attribute")
        name = dotted(parts[0][1])
        if name in found:
            raise DerError("an attribute stands twice")
        found[name] = parts[1][1]
    if MESSAGE_DIGEST not in found or CONTENT_TYPE not in found:
        raise DerError("no message digest, or no content type (RFC 5652 section 11)")
    if dotted(content_of(found[CONTENT_TYPE], OBJECT_IDENTIFIER)) != content_type:
        raise DerError("another content type was signed")
    return content_of(found[MESSAGE_DIGEST], OCTET_STRING)
