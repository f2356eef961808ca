"""Certification requests of our own (RFC 2986): what a CA asks another one to certify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tegata.pkix import oids
from tegata.pkix.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    DerError,
    content_of,
    dotted,
    encode_integer,
    encode_oid,
    encode_sequence,
    encode_set_of,
    explicit,
    split,
    split_extensions,
    wrap,
)

_TAGS = [INTEGER, SEQUENCE, SEQUENCE, 0xA0]


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A CertificationRequestInfo read back: its subject and key (DER), and which extensions it
    asks for."""

    subject: bytes
    public_key: bytes
    extensions: tuple[str, ...]


def encode_request_info(subject: bytes, public_key: bytes, extensions: Sequence[bytes]) -> bytes:
    """The CertificationRequestInfo that asks for encoded Extensions (RFC 2985 section 5.4.2)."""
    values = encode_set_of([encode_sequence(*extensions)])
    attribute = encode_sequence(encode_oid(oids.EXTENSION_REQUEST), values)
    return encode_sequence(encode_integer(0), subject, public_key, explicit(0, attribute))


def parse_request_info(octets: bytes) -> RequestInfo:
    """Read one; `DerError` for anything but version 0 with one extensionRequest."""
    fields = split(content_of(octets, SEQUENCE))
    if [tag for tag, _content in fields] != _TAGS or fields[0][1] != b"\x00":
        raise DerError("not a CertificationRequestInfo")
    parts = split(content_of(fields[3][1], SEQUENCE))
    if [tag for tag, _content in parts] != [OBJECT_IDENTIFIER, SET]:
        raise DerError("not one attribute")
    if dotted(parts[0][1]) != oids.EXTENSION_REQUEST:
        raise DerError("an attribute that is not extensionRequest")
    found = split_extensions(content_of(parts[1][1], SEQUENCE))
    names = tuple(name for name, _extension in found)
    return RequestInfo(wrap(*fields[1]), wrap(*fields[2]), names)
