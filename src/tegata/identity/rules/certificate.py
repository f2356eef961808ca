"""The checks of the certificate itself: chain, validity, usage; and the attributes in it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tegata.identity.jlis import CertificateKind, FourAttributes, Holder
from tegata.identity.reasons import Reason
from tegata.identity.rules.trust import Authority, Trust
from tegata.pkix import jpki, oids
from tegata.pkix.der import DerError
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.jpki import JpkiCertificate, parse_other_names
from tegata.pkix.signatures import SignatureInvalid, verify_parts

_USAGE: Final = {
    CertificateKind.SIGN: frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.CONTENT_COMMITMENT}),
    CertificateKind.AUTH: frozenset({KeyUsage.DIGITAL_SIGNATURE}),
}
# What may be critical, because it is looked at here (RFC 5280 section 4.2).
_UNDERSTOOD: Final = frozenset({oids.KEY_USAGE, oids.CERTIFICATE_POLICIES})


def find_authority(certificate: JpkiCertificate, trust: Trust) -> Authority | Reason:
    """The pinned authority whose key signed a certificate, or why there is none.

    Found by the authority key identifier and the signature. Names are compared afterwards: RFC
    5280 section 6.1.3 (a)(4) wants them equal.
    """
    named = trust.find(certificate.issuer.key_identifier)
    if not named:
        return Reason.ISSUER_UNKNOWN
    for authority in named:
        try:
            verify_parts(certificate.parts, certificate.tbs.signature, authority.public_key)
        except SignatureInvalid:
            continue
        same = certificate.tbs.issuer == authority.name == certificate.issuer.name
        if not same or certificate.issuer.serial != authority.serial:
            return Reason.ISSUER_NAME
        return authority
    return Reason.ISSUER_SIGNATURE


def authority_fault(authority: Authority, now: datetime) -> Reason | None:
    """Why an authority cannot be relied on at an instant (RFC 5280 section 6.1.3 (a)(2))."""
    if authority.not_before <= now <= authority.not_after:
        return None
    return Reason.ISSUER_EXPIRED


def validity_fault(certificate: JpkiCertificate, now: datetime) -> Reason | None:
    """Why a certificate is not valid at an instant; both its times are inclusive."""
    if now < certificate.tbs.not_before:
        return Reason.NOT_YET_VALID
    return Reason.EXPIRED if now > certificate.tbs.not_after else None


def usage_fault(
    certificate: JpkiCertificate, authority: Authority, trust: Trust, wanted: CertificateKind
) -> Reason | None:
    """Why a certificate does not serve a purpose. Three things must say the same: who issued it,
    its policy, its key usage."""
    if authority.kind is not wanted:
        if authority.kind is CertificateKind.SIGN:
            return Reason.SIGNING_CERTIFICATE
        return Reason.AUTHENTICATION_CERTIFICATE
    if find_holder(certificate, trust, wanted) is None:
        return Reason.POLICY
    if certificate.key_usage != _USAGE[wanted] or not certificate.key_usage_critical:
        return Reason.KEY_USAGE
    extensions = certificate.tbs.extensions
    if any(each.critical and name not in _UNDERSTOOD for name, each in extensions.items()):
        return Reason.CRITICAL_EXTENSION
    # The user-authentication certificate says nothing of the person.
    named = wanted is CertificateKind.AUTH and oids.SUBJECT_ALTERNATIVE_NAME in extensions
    return Reason.OTHER_NAMES_UNKNOWN if named else None


def find_holder(
    certificate: JpkiCertificate, trust: Trust, wanted: CertificateKind
) -> Holder | None:
    """What holds a certificate's key, as its one policy says; None when it is of another kind."""
    if len(certificate.policies) != 1:
        return None
    kind, holder = trust.policies.get(certificate.policies[0], (None, None))
    return holder if kind is wanted else None


def read_attributes(certificate: JpkiCertificate) -> FourAttributes | Reason:
    """The four attributes of a signing certificate, or why they are none."""
    extension = certificate.tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
    if extension is None:
        return Reason.OTHER_NAMES_MALFORMED
    try:
        names = parse_other_names(extension.value)
    except DerError:
        return Reason.OTHER_NAMES_MALFORMED
    order = tuple(each.type_id for each in names)
    if not set(order) <= set(jpki.OTHER_NAME_ORDER):
        return Reason.OTHER_NAMES_UNKNOWN
    if order != jpki.OTHER_NAME_ORDER:
        return Reason.OTHER_NAMES_ORDER
    name, birth, sex, address, name_substitutes, address_substitutes = (each.text for each in names)
    found = FourAttributes(name, address, birth, sex, name_substitutes, address_substitutes)
    return found if _plausible(found) else Reason.OTHER_NAMES_MALFORMED


def _plausible(found: FourAttributes) -> bool:
    flags = (found.name, found.name_substitutes), (found.address, found.address_substitutes)
    birth = len(found.birth) == 9 and found.birth.isascii() and found.birth.isdigit()
    return (
        all(len(text) == len(marks) and not marks.strip("01") for text, marks in flags)
        and bool(found.name)
        and birth
        and found.birth[0] <= "5"
        and found.sex in ("0", "1", "2", "9")
    )
