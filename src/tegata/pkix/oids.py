"""Object identifiers, by the names their standards give them."""

from __future__ import annotations

# Algorithms (RFC 5758 section 3.2, RFC 5480, RFC 8017, RFC 5754).
ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
ED25519 = "1.3.101.112"
SHA1 = "1.3.14.3.2.26"
SHA256 = "2.16.840.1.101.3.4.2.1"

# Certificate extensions (RFC 5280 section 4.2).
SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
BASIC_CONSTRAINTS = "2.5.29.19"
NAME_CONSTRAINTS = "2.5.29.30"
CRL_DISTRIBUTION_POINTS = "2.5.29.31"
CERTIFICATE_POLICIES = "2.5.29.32"
AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
EXTENDED_KEY_USAGE = "2.5.29.37"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5"

# Certificate policies (RFC 5280 section 4.2.1.4).
ANY_POLICY = "2.5.29.32.0"
POLICY_CPS = "1.3.6.1.5.5.7.2.1"
POLICY_USER_NOTICE = "1.3.6.1.5.5.7.2.2"

# Types of otherName: Microsoft's user principal name, hardwareModuleName (RFC 4108 section 5),
# SmtpUTF8Mailbox (RFC 9598 section 3).
USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3"
HARDWARE_MODULE_NAME = "1.3.6.1.5.5.7.8.4"
SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9"

# The extension that binds a certificate to an account's security identifier ([MS-WCCE] section
# 2.2.2.7.7.4), and the otherName in it.
NTDS_CA_SECURITY = "1.3.6.1.4.1.311.25.2"
NTDS_OBJECT_SID = "1.3.6.1.4.1.311.25.2.1"

# Access methods (RFC 5280 section 4.2.2.1).
ACCESS_OCSP = "1.3.6.1.5.5.7.48.1"
ACCESS_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"

# Extended key usages (RFC 5280 section 4.2.1.12, RFC 6960 section 4.2.2.2).
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
# RFC 4334 section 2, RFC 4945 section 5.1.3.12, RFC 9336 section 3.1, and Microsoft's.
EAP_OVER_LAN = "1.3.6.1.5.5.7.3.14"
IPSEC_IKE = "1.3.6.1.5.5.7.3.17"
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
SMART_CARD_LOGON = "1.3.6.1.4.1.311.20.2.2"

# CRL extensions (RFC 5280 section 5.2 and 5.3).
CRL_NUMBER = "2.5.29.20"
CRL_REASON = "2.5.29.21"
ISSUING_DISTRIBUTION_POINT = "2.5.29.28"

# OCSP (RFC 6960 sections 4.2.1 and 4.4).
OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1"
OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2"
OCSP_EXTENDED_REVOKE = "1.3.6.1.5.5.7.48.1.9"

# PKCS #9 attribute that carries extensions in a request (RFC 2985 section 5.4.2).
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"

# Attribute types of names (RFC 5280 section 4.1.2.4 and appendix A).
COMMON_NAME = "2.5.4.3"
SURNAME = "2.5.4.4"
SERIAL_NUMBER = "2.5.4.5"
COUNTRY = "2.5.4.6"
LOCALITY = "2.5.4.7"
STATE_OR_PROVINCE = "2.5.4.8"
ORGANIZATION = "2.5.4.10"
ORGANIZATIONAL_UNIT = "2.5.4.11"
TITLE = "2.5.4.12"
GIVEN_NAME = "2.5.4.42"
PSEUDONYM = "2.5.4.65"
ORGANIZATION_IDENTIFIER = "2.5.4.97"
DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25"
USER_ID = "0.9.2342.19200300.100.1.1"
