"""What another CA has made, read as it may be: certificates, lists, and files of either.

Whoever takes a CA over cannot choose how its certificates were written. What decides (serial,
validity, issuer, signature) is read strictly; what only helps to find a certificate is read as
well as it can be.
"""

from __future__ import annotations

import base64
import binascii
import warnings
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import MD5, SHA1

from tegata.pkix import oids
from tegata.pkix.certificate import TbsCertificate, parse_certificate, parse_tbs_certificate
from tegata.pkix.crl_reader import TbsCertList, parse_tbs_cert_list
from tegata.pkix.der import (
    OCTET_STRING,
    SEQUENCE,
    DerError,
    content_of,
    split,
)
from tegata.pkix.extensions import key_identifier
from tegata.pkix.names import GeneralName, GeneralNameKind, legible_name, parse_general_name
from tegata.pkix.signatures import SignatureInvalid

# A serial number has at most 20 octets (RFC 5280 section 4.1.2.2).
SERIAL_BITS = 160
# Octets of one certificate, however many names it has.
ELEMENT_MAXIMUM = 1 << 20
# Characters of a subject or name that is searched for: PostgreSQL's indexes take 2,704 octets.
_TEXT_MAXIMUM = 640
# Months of expiry are counted from it (`kernel.month`).
_FIRST_YEAR = 2000
_PEM_BEGIN, _PEM_END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


@dataclass(frozen=True, slots=True)
class ForeignCertificate:
    """A certificate of another CA. `subject` is text for people, `names` those that can be read."""

    der: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    subject: str
    names: tuple[GeneralName, ...]
    public_key: bytes


class ForeignIssuer:
    """A CA as its own certificate (DER) describes it; `DerError` when that cannot be read."""

    def __init__(self, der: bytes) -> None:
        self.tbs = parse_tbs_certificate(parse_certificate(der).tbs)
        self._certificate = _load(der)
        try:
            self._key = self._certificate.public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            raise DerError("its key cannot be read") from error

    def require_signed(self, der: bytes, *, strongly: bool = False) -> None:
        """`SignatureInvalid` unless this CA's key signed a certificate.

        Every algorithm counts that ever did: it says what the CA has issued, not whom to trust.
        `strongly` refuses MD5 and SHA-1, for what is relied on.
        """
        found = _load(der)
        try:
            found.verify_directly_issued_by(self._certificate)
            digest = found.signature_hash_algorithm
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise SignatureInvalid("the signature is not of this CA's key") from error
        if strongly and isinstance(digest, MD5 | SHA1):
            raise SignatureInvalid("signed with MD5 or SHA-1")

    def read_certificate(self, der: bytes) -> ForeignCertificate:
        """A certificate that it issued. `DerError` when it cannot be read, or is another
        issuer's; `SignatureInvalid` when this CA's key did not sign it."""
        found, issuer = _read(der)
        if issuer != self.tbs.subject:
            raise DerError("issued under another name")
        if not 0 <= found.serial < 1 << SERIAL_BITS:
            raise DerError("a serial number is positive and has at most 20 octets")
        if found.not_after.year < _FIRST_YEAR:
            raise DerError("it expired before the year 2000")
        self.require_signed(der)
        return found

    def read_crl(self, der: bytes) -> TbsCertList:
        """A list that it made: of version 2 with a number (RFC 5280 section 5.2.3). Raises as
        `read_certificate`."""
        crl = parse_tbs_cert_list(parse_certificate(der).tbs)
        if crl.issuer != self.tbs.subject:
            raise DerError("a list of another issuer")
        try:
            valid = x509.load_der_x509_crl(der).is_signature_valid(self._key)  # type: ignore[arg-type]
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SignatureInvalid("the list's signature cannot be verified") from error
        if not valid:
            raise SignatureInvalid("the list is not signed by this CA's key")
        return crl


def read_again(der: bytes) -> ForeignCertificate:
    """A certificate that `ForeignIssuer.read_certificate` has taken."""
    return _read(der)[0]


def authority_key_of(tbs: TbsCertificate) -> bytes:
    """What certificates below a CA name it by: its subjectKeyIdentifier, whatever that was made
    of, or the one that we would give it (RFC 5280 section 4.2.1.1)."""
    extension = tbs.extensions.get(oids.SUBJECT_KEY_IDENTIFIER)
    if extension is None:
        return key_identifier(tbs.public_key)
    return content_of(extension.value, OCTET_STRING)


class ElementReader:
    """Takes certificates out of a file as it comes: PEM blocks with anything between them (RFC
    7468 section 2), or DER one after the other.

    `DerError` for anything else, and for an element of more than a mebibyte.
    """

    def __init__(self, label: bytes) -> None:
        self._begin = _PEM_BEGIN + label + _DASHES
        self._end = _PEM_END + label + _DASHES
        self._buffer = b""
        self._is_der: bool | None = None

    def feed(self, octets: bytes) -> list[bytes]:
        """The elements (DER) that are whole now."""
        self._buffer += octets
        if self._is_der is None and self._buffer:
            self._is_der = self._buffer[0] == SEQUENCE
        found = self._der() if self._is_der else self._pem()
        if len(self._buffer) > ELEMENT_MAXIMUM:
            raise DerError("an element of more than a mebibyte, or no PEM (RFC 7468)")
        return found

    def close(self) -> None:
        """`DerError` when something was left over."""
        rest = self._buffer
        if rest and (self._is_der or self._begin in rest):
            raise DerError("the file ends within an element")

    def _der(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            size = _element_size(self._buffer)
            if size is None or size > len(self._buffer):
                return found
            found.append(self._buffer[:size])
            self._buffer = self._buffer[size:]

    def _pem(self) -> list[bytes]:
        found: list[bytes] = []
        place, buffer = 0, self._buffer
        while True:
            begin = buffer.find(self._begin, place)
            if begin < 0:
                # What lies between blocks is nobody's, but for a line that has just begun.
                self._buffer = buffer[max(place, len(buffer) - len(self._begin)) :]
                return found
            end = buffer.find(self._end, begin)
            if end < 0:
                self._buffer = buffer[begin:]
                return found
            text = buffer[begin + len(self._begin) : end]
            try:
                found.append(base64.b64decode(b"".join(text.split()), validate=True))
            except (ValueError, binascii.Error) as error:
                raise DerError("a PEM block that is not base64 (RFC 7468)") from error
            place = end + len(self._end)


def pem_block(octets: bytes, label: bytes) -> bytes:
    """The DER of a file that has one element, in PEM with that label or in DER."""
    if octets[:1] == bytes((SEQUENCE,)):
        return octets
    begin, end = _PEM_BEGIN + label + _DASHES, _PEM_END + label + _DASHES
    _before, found, rest = octets.partition(begin)
    text, closed, after = rest.partition(end)
    if not found or not closed or begin in after:
        raise DerError(f"not one {label.decode()} in PEM (RFC 7468), nor DER")
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise DerError("a PEM block that is not base64 (RFC 7468)") from error


def _element_size(octets: bytes) -> int | None:
    """How long the SEQUENCE is that begins here; None while that cannot be told."""
    if not octets:
        return None
    if octets[0] != SEQUENCE:
        raise DerError("neither PEM nor DER")
    if len(octets) < 2:
        return None
    size = octets[1]
    if size < 0x80:
        return 2 + size
    count = size & 0x7F
    if not 1 <= count <= 4:
        raise DerError("a length that is not definite")
    if len(octets) < 2 + count:
        return None
    return 2 + count + int.from_bytes(octets[2 : 2 + count], "big")


def _load(der: bytes) -> x509.Certificate:
    try:
        with warnings.catch_warnings():
            # The library warns of serial numbers that nobody should give; they were given.
            warnings.simplefilter("ignore")
            return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise DerError(f"not a certificate: {error}") from None


def _read(der: bytes) -> tuple[ForeignCertificate, bytes]:
    tbs = parse_tbs_certificate(parse_certificate(der).tbs)
    subject = legible_name(tbs.subject)[:_TEXT_MAXIMUM]
    found = ForeignCertificate(
        der, tbs.serial, tbs.not_before, tbs.not_after, subject, _names(tbs), tbs.public_key
    )
    return found, tbs.issuer


def _names(tbs: TbsCertificate) -> tuple[GeneralName, ...]:
    extension = tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
    names = []
    try:
        elements = split(content_of(extension.value, SEQUENCE)) if extension is not None else []
    except DerError:
        return ()
    for tag, content in elements:
        try:
            name = parse_general_name(tag, content)
        except DerError:
            continue  # a kind that the platform does not search for
        if name.kind is GeneralNameKind.DNS:
            # Host names have no case (RFC 4343), and are searched for in lower case.
            name = GeneralName(name.kind, name.value.lower())
        # No store keeps a NUL in a text, nor an endless one in an index.
        if "\0" not in name.value and len(name.value) <= _TEXT_MAXIMUM:
            names.append(name)
    return tuple(dict.fromkeys(names))
