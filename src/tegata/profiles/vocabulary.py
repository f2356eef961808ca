"""The words of profile documents: each standard's own names for what it names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tegata.pkix import oids
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import GeneralNameKind

# RFC 5280 appendix A.1, RFC 4519, X.520.
ATTRIBUTES: Mapping[str, str] = {
    "countryName": oids.COUNTRY,
    "stateOrProvinceName": oids.STATE_OR_PROVINCE,
    "localityName": oids.LOCALITY,
    "organizationName": oids.ORGANIZATION,
    "organizationIdentifier": oids.ORGANIZATION_IDENTIFIER,
    "organizationalUnitName": oids.ORGANIZATIONAL_UNIT,
    "commonName": oids.COMMON_NAME,
    "serialNumber": oids.SERIAL_NUMBER,
    "surname": oids.SURNAME,
    "givenName": oids.GIVEN_NAME,
    "pseudonym": oids.PSEUDONYM,
    "title": oids.TITLE,
    "userId": oids.USER_ID,
    "domainComponent": oids.DOMAIN_COMPONENT,
}
# RFC 5280 section 4.2.1.3. (contentCommitment is what X.509 calls nonRepudiation by now.)
KEY_USAGES: Mapping[str, KeyUsage] = {
    "digitalSignature": KeyUsage.DIGITAL_SIGNATURE,
    "contentCommitment": KeyUsage.CONTENT_COMMITMENT,
    "keyEncipherment": KeyUsage.KEY_ENCIPHERMENT,
    "dataEncipherment": KeyUsage.DATA_ENCIPHERMENT,
    "keyAgreement": KeyUsage.KEY_AGREEMENT,
    "keyCertSign": KeyUsage.KEY_CERT_SIGN,
    "cRLSign": KeyUsage.CRL_SIGN,
    "encipherOnly": KeyUsage.ENCIPHER_ONLY,
    "decipherOnly": KeyUsage.DECIPHER_ONLY,
}
# RFC 5280 section 4.2.1.12 without its id-kp-, and those that other standards add.
PURPOSES: Mapping[str, str] = {
    "serverAuth": oids.SERVER_AUTH,
    "clientAuth": oids.CLIENT_AUTH,
    "codeSigning": oids.CODE_SIGNING,
    "emailProtection": oids.EMAIL_PROTECTION,
    "timeStamping": oids.TIME_STAMPING,
    "OCSPSigning": oids.OCSP_SIGNING,
    "documentSigning": oids.DOCUMENT_SIGNING,
    "ipsecIKE": oids.IPSEC_IKE,
    "eapOverLAN": oids.EAP_OVER_LAN,
    "msSmartcardLogin": oids.SMART_CARD_LOGON,
    "anyExtendedKeyUsage": oids.ANY_EXTENDED_KEY_USAGE,
}
# RFC 5280 section 4.2.1.6, RFC 4108, RFC 9598; userPrincipalName is Microsoft's.
NAME_KINDS: Mapping[str, GeneralNameKind] = {
    "dNSName": GeneralNameKind.DNS,
    "iPAddress": GeneralNameKind.IP,
    "rfc822Name": GeneralNameKind.EMAIL,
    "uniformResourceIdentifier": GeneralNameKind.URI,
    "userPrincipalName": GeneralNameKind.UPN,
    "hardwareModuleName": GeneralNameKind.HARDWARE_MODULE,
    "smtpUTF8Mailbox": GeneralNameKind.SMTP_UTF8,
}
ATTRIBUTE_NAMES = {value: name for name, value in ATTRIBUTES.items()}
PURPOSE_NAMES = {value: name for name, value in PURPOSES.items()}
NAME_KIND_NAMES = {value: name for name, value in NAME_KINDS.items()}
KEY_USAGE_NAMES = {value: name for name, value in KEY_USAGES.items()}

# Two arcs at least; the second below 40 under the first two roots (X.660 section 7.6).
_OID = re.compile(
    r"(?:[01]\.[0-3]?[0-9]|2\.(?:0|[1-9][0-9]{0,37}))(?:\.(?:0|[1-9][0-9]{0,37})){0,30}"
)
_LEADING_ZERO = re.compile(r"\.0[0-9]")


def is_oid(text: str) -> bool:
    """Whether `text` is an object identifier in dotted form."""
    return _OID.fullmatch(text) is not None and _LEADING_ZERO.search(text) is None
