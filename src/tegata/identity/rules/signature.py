"""The check of the signature: over what, by which key, and written strictly."""

from __future__ import annotations

import hashlib
from typing import Final

from tegata.identity.model import Binding, Session, SignatureForm, Submission
from tegata.identity.reasons import Reason
from tegata.pkix.cms_signed import SignedMessage, parse_signed_message
from tegata.pkix.der import DerError
from tegata.pkix.intent import CHIP_PREFIX, INTENT_PREFIX
from tegata.pkix.jpki import JpkiCertificate, rsa_public_key
from tegata.pkix.rsa_signature import Fault, find_fault

_MODULUS_BITS: Final = 2048
_EXPONENT: Final = 65537
_REASONS: Final = {
    Fault.LENGTH: Reason.SIGNATURE_LENGTH,
    Fault.PADDING: Reason.SIGNATURE_PADDING,
    Fault.ALGORITHM: Reason.SIGNATURE_ALGORITHM,
    Fault.DIGEST: Reason.SIGNATURE_CONTENT,
    Fault.KEY: Reason.SIGNATURE_KEY,
}


def signature_fault(
    session: Session, submission: Submission, certificate: JpkiCertificate
) -> Reason | None:
    """Why a signature is not the one that the session asks for."""
    document = submission.document or b""
    if document.startswith((INTENT_PREFIX, CHIP_PREFIX)):
        # Or a person who logs in somewhere would have signed a document here.
        return Reason.LOG_IN_AS_DOCUMENT
    digest = _signed_digest(session, submission)
    if len(digest) != hashlib.sha256().digest_size:
        return Reason.DIGEST_LENGTH
    if submission.form is SignatureForm.RAW:
        return rsa_fault(certificate.tbs.public_key, submission.signature, digest)
    try:
        message = parse_signed_message(submission.signature)
    except DerError:
        return Reason.SIGNATURE_FORM
    return _message_fault(message, certificate, digest)


def _signed_digest(session: Session, submission: Submission) -> bytes:
    if session.asked.binding is Binding.INTENT:
        return hashlib.sha256(session.intent).digest()
    if session.asked.binding is Binding.DOCUMENT:
        return hashlib.sha256(submission.document or b"").digest()
    return submission.digest or b""


def _message_fault(
    message: SignedMessage, certificate: JpkiCertificate, digest: bytes
) -> Reason | None:
    # RFC 5652 section 5.3: the signer is named by issuer and serial number, or by key identifier.
    if message.signer_serial is not None and message.signer_serial != certificate.tbs.serial:
        return Reason.SIGNATURE_KEY
    if message.certificates and certificate.der not in message.certificates:
        return Reason.SIGNATURE_KEY
    if message.message_digest is None:
        signed = digest
    else:
        if message.message_digest != digest:
            return Reason.SIGNATURE_CONTENT
        signed = hashlib.sha256(message.signed_attributes).digest()
    return rsa_fault(certificate.tbs.public_key, message.signature, signed)


def rsa_fault(public_key: bytes, signature: bytes, digest: bytes) -> Reason | None:
    """Why an RSA signature is not one of a key over a SHA-256 digest."""
    try:
        modulus, exponent = rsa_public_key(public_key)
    except DerError:
        return Reason.KEY_KIND
    if modulus.bit_length() != _MODULUS_BITS or exponent != _EXPONENT:
        return Reason.KEY_KIND
    fault = find_fault(public_key, signature, digest)
    return None if fault is None else _REASONS[fault]
