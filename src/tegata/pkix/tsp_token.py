"""Time-stamp tokens: a TSTInfo in CMS SignedData (RFC 3161 section 2.4.2, RFC 5652, RFC 5816).

What all tokens of one unit share is encoded once; a token is joined from parts, as certificates
are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.certificate import parse_certificate
from tegata.pkix.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    DerError,
    content_of,
    dotted,
    encode_integer,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    encode_set_of,
    implicit,
    length,
    split,
    split_integer,
    wrap,
)
from tegata.pkix.tsp import encode_granted

# How a unit's key may sign, and the hash of what it signs (RFC 5754 section 3). Others make
# signatures that OpenSSL's verifier of tokens, and most other ones, cannot read.
TOKEN_DIGESTS: Final[Mapping[SignatureAlgorithm, str]] = {
    SignatureAlgorithm.ECDSA_SHA256: oids.SHA256,
    SignatureAlgorithm.ECDSA_SHA384: oids.SHA384,
    SignatureAlgorithm.ECDSA_SHA512: oids.SHA512,
    SignatureAlgorithm.RSA_PKCS1_SHA256: oids.SHA256,
    SignatureAlgorithm.RSA_PKCS1_SHA384: oids.SHA384,
    SignatureAlgorithm.RSA_PKCS1_SHA512: oids.SHA512,
}
HASHES: Final = {
    oids.SHA256: hashlib.sha256,
    oids.SHA384: hashlib.sha384,
    oids.SHA512: hashlib.sha512,
}
# RFC 5652 section 5.1: 3, because the content is not id-data; a signer named by its issuer: 1.
_VERSION_3, _VERSION_1 = encode_integer(3), encode_integer(1)
_SIGNED_DATA = encode_oid(oids.CMS_SIGNED_DATA)
_TST_INFO = encode_oid(oids.TST_INFO)
_IMPLICIT_0 = 0xA0
_WITHOUT_CERTIFICATES = [INTEGER, SET, SEQUENCE, SET]
_WITH_CERTIFICATES = [INTEGER, SET, SEQUENCE, _IMPLICIT_0, SET]
# Lengths of TSTInfo and signature that are remembered.
_FRAMES_KEPT = 1024
_WITH_CRLS = [INTEGER, SET, SEQUENCE, _IMPLICIT_0, 0xA1, SET]


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """What a signer signs (RFC 5652 section 5.3): the digest of the content, and the hashes of
    its certificate, by algorithm; SHA-1 stands for an ESSCertID of before RFC 5816."""

    content_type: str
    message_digest: bytes
    certificate_hashes: tuple[tuple[str, bytes], ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token taken apart. `info` and `attributes` are DER as they were signed; `issuer` (Name,
    DER) and `serial` name the signer's certificate."""

    info: bytes
    attributes: bytes
    digest_algorithm: str
    signature_algorithm: bytes
    signature: bytes
    issuer: bytes
    serial: int
    certificates: tuple[bytes, ...]


def _attribute(identifier: str, value: bytes) -> bytes:
    return encode_sequence(encode_oid(identifier), encode_set_of((value,)))


def _signing_certificate(certificate: bytes) -> bytes:
    # RFC 5035 section 4: SHA-256 is the default and not written.
    ess = encode_sequence(encode_octet_string(hashlib.sha256(certificate).digest()))
    return encode_sequence(encode_sequence(ess))


def encode_signed_attributes(digest: bytes, certificate: bytes) -> bytes:
    """The SignedAttributes of a token whose TSTInfo has a digest, by a signer's certificate (DER)
    (RFC 3161 section 2.4.2, RFC 5816 section 2.2.1)."""
    return encode_set_of(
        (
            _attribute(oids.CONTENT_TYPE, _TST_INFO),
            _attribute(oids.MESSAGE_DIGEST, encode_octet_string(digest)),
            _attribute(oids.SIGNING_CERTIFICATE_V2, _signing_certificate(certificate)),
        )
    )


class TokenTemplate:
    """What all tokens of one unit share. `chain` is its certificate (DER) and those of the CAs
    above it, root last; who asks for certificates gets all but the root."""

    def __init__(self, algorithm: SignatureAlgorithm, chain: Sequence[bytes]) -> None:
        oid = TOKEN_DIGESTS[algorithm]
        self.hash = HASHES[oid]
        placeholder = self.hash(b"").digest()
        attributes = encode_signed_attributes(placeholder, chain[0])
        # Attributes of one length differ in the digest only: DER's order stays as it is.
        self._before, _, self._after = attributes.partition(placeholder)
        self.digest_size = len(placeholder)
        digest_algorithm = encode_sequence(encode_oid(oid))
        self._head = _VERSION_3 + encode_set_of((digest_algorithm,))
        certificates = sorted(chain[:-1] if len(chain) > 1 else chain)
        self._certificates = implicit(0, b"".join(certificates), constructed=True)
        issuer, serial = issuer_and_serial(chain[0])
        self._signer = (
            _VERSION_1 + encode_sequence(issuer, encode_integer(serial)) + digest_algorithm
        )
        self._signs = algorithm_identifier(algorithm)
        self._header = len(attributes) - len(content_of(attributes, SET))
        self._frames: dict[tuple[int, int, bool], tuple[bytes, bytes, bytes]] = {}

    def attributes(self, info: bytes) -> bytes:
        """The SignedAttributes (DER) for a TSTInfo: what is to be signed."""
        return self._before + self.hash(info).digest() + self._after

    def response(
        self, info: bytes, attributes: bytes, signature: bytes, *, certificates: bool
    ) -> bytes:
        """A TimeStampResp that grants a token."""
        # All that stands between these depends on their lengths only, which are few.
        place = len(info), len(signature), certificates
        frame = self._frames.get(place)
        if frame is None:
            if len(self._frames) >= _FRAMES_KEPT:
                self._frames.clear()
            frame = self._frames[place] = self._frame(*place)
        before, between, after = frame
        return b"".join((before, info, between, attributes[self._header :], after, signature))

    def _frame(self, info: int, signature: int, certificates: bool) -> tuple[bytes, bytes, bytes]:
        """What stands before a TSTInfo, between it and the attributes' content, and between that
        and the signature, in an answer."""
        attributes = self.attributes(bytes(info))
        content = wrap(SEQUENCE, _TST_INFO + wrap(0xA0, wrap(OCTET_STRING, bytes(info))))
        # RFC 5652 section 5.4: signed as a SET OF, sent under a tag of its own.
        signed = b"\xa0" + attributes[1:]
        signer = wrap(
            SEQUENCE, self._signer + signed + self._signs + wrap(OCTET_STRING, bytes(signature))
        )
        sent = self._certificates if certificates else b""
        parts = self._head, content, sent, wrap(SET, signer)
        data = b"".join((b"\x30", length(sum(map(len, parts))), *parts))
        whole = encode_granted(wrap(SEQUENCE, _SIGNED_DATA + wrap(0xA0, data)))
        body = attributes[self._header :]
        after = len(self._signs) + len(wrap(OCTET_STRING, bytes(signature))) - signature
        last = len(whole) - signature - after - len(body)
        first = whole.index(content) + len(content) - info
        return whole[:first], whole[first + info : last], whole[last + len(body) : -signature]


def issuer_and_serial(certificate: bytes) -> tuple[bytes, int]:
    """The issuer (Name, DER) and serial number of a certificate (DER)."""
    fields = split(content_of(parse_certificate(certificate).tbs, SEQUENCE))
    if len(fields) < 5 or [tag for tag, _content in fields[:4]] != [
        0xA0,
        INTEGER,
        SEQUENCE,
        SEQUENCE,
    ]:
        raise DerError("not a version 3 certificate")
    return wrap(*fields[3]), split_integer(fields[1][1])


def parse_signed_attributes(octets: bytes) -> SignedAttributes:
    """Read SignedAttributes (a SET OF, DER); `DerError` unless each kind stands once and those
    that a token must have are there (RFC 5652 section 11, RFC 5816 section 2.2.1)."""
    found: dict[str, bytes] = {}
    kinds = []
    for tag, content in split(content_of(octets, SET)):
        parts = split(content)
        if tag != SEQUENCE or [each for each, _value in parts] != [OBJECT_IDENTIFIER, SET]:
            raise DerError("not an Attribute")
        name = dotted(parts[0][1])
        kinds.append(name)
        found[name] = parts[1][1]
    if len(found) != len(kinds):
        raise DerError("an attribute stands twice")
    hashes = _certificate_hashes(found)
    if not hashes or oids.CONTENT_TYPE not in found or oids.MESSAGE_DIGEST not in found:
        raise DerError("content type, message digest or signing certificate is missing")
    return SignedAttributes(
        dotted(content_of(found[oids.CONTENT_TYPE], OBJECT_IDENTIFIER)),
        content_of(found[oids.MESSAGE_DIGEST], OCTET_STRING),
        hashes,
        tuple(kinds),
    )


def _certificate_hashes(found: Mapping[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    hashes: list[tuple[str, bytes]] = []
    for name, default in ((oids.SIGNING_CERTIFICATE, oids.SHA1),
                          (oids.SIGNING_CERTIFICATE_V2, oids.SHA256)):  # fmt: skip
        if name not in found:
            continue
        certificates = split(content_of(found[name], SEQUENCE))
        if not certificates or certificates[0][0] != SEQUENCE:
            raise DerError("not a SigningCertificate")
        identifiers = split(certificates[0][1])
        # The first is the signer's own (RFC 5035 section 5.4).
        if not identifiers or identifiers[0][0] != SEQUENCE:
            raise DerError("not a SigningCertificate")
        parts = split(identifiers[0][1])
        algorithm = default
        if parts and parts[0][0] == SEQUENCE and name == oids.SIGNING_CERTIFICATE_V2:
            algorithm = _algorithm(*parts.pop(0))
        if not parts or parts[0][0] != OCTET_STRING:
            raise DerError("not an ESSCertID")
        hashes.append((algorithm, parts[0][1]))
    return tuple(hashes)


def _algorithm(tag: int, content: bytes) -> str:
    parts = split(content)
    if tag != SEQUENCE or not parts or parts[0][0] != OBJECT_IDENTIFIER:
        raise DerError("not an AlgorithmIdentifier")
    return dotted(parts[0][1])


def parse_token(octets: bytes) -> SignedToken:
    """Take a TimeStampToken apart; `DerError` unless it is one, with one signer that is named by
    issuer and serial number. Nothing is verified."""
    outer = split(content_of(octets, SEQUENCE))
    if [tag for tag, _content in outer] != [OBJECT_IDENTIFIER, 0xA0]:
        raise DerError("not a ContentInfo")
    if dotted(outer[0][1]) != oids.CMS_SIGNED_DATA:
        raise DerError("not SignedData")
    fields = split(content_of(outer[1][1], SEQUENCE))
    tags = [tag for tag, _content in fields]
    if tags not in (_WITHOUT_CERTIFICATES, _WITH_CERTIFICATES, _WITH_CRLS):
        raise DerError("not SignedData")
    content = split(fields[2][1])
    if [tag for tag, _content in content] != [OBJECT_IDENTIFIER, 0xA0]:
        raise DerError("a token has its content in it")
    if dotted(content[0][1]) != oids.TST_INFO:
        raise DerError("not a TSTInfo")
    certificates = split(fields[3][1]) if len(fields) > 4 else []
    signers = split(fields[-1][1])
    if len(signers) != 1:
        # RFC 3161 section 2.4.2: the token MUST NOT contain any signatures other than the TSA's.
        raise DerError("a token has one signer")
    return _signer(
        content_of(content[1][1], OCTET_STRING),
        signers[0],
        tuple(wrap(tag, each) for tag, each in certificates if tag == SEQUENCE),
    )


def _signer(info: bytes, signer: tuple[int, bytes], certificates: tuple[bytes, ...]) -> SignedToken:
    parts = split(signer[1])
    tags = [tag for tag, _content in parts]
    wanted = [INTEGER, SEQUENCE, SEQUENCE, _IMPLICIT_0, SEQUENCE, OCTET_STRING]
    if signer[0] != SEQUENCE or tags not in (wanted, [*wanted, 0xA1]):
        raise DerError("not a SignerInfo with signed attributes")
    named = split(parts[1][1])
    if [tag for tag, _content in named] != [SEQUENCE, INTEGER]:
        raise DerError("the signer is not named by issuer and serial number")
    return SignedToken(
        info=info,
        attributes=wrap(SET, parts[3][1]),
        digest_algorithm=_algorithm(*parts[2]),
        signature_algorithm=wrap(*parts[4]),
        signature=parts[5][1],
        issuer=wrap(*named[0]),
        serial=split_integer(named[1][1]),
        certificates=certificates,
    )
