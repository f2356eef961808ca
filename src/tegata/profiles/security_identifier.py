"""Rules for the account identifier in certificates that log on to Windows domains."""

from __future__ import annotations

import re

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.der import DerError
from tegata.pkix.policy_extensions import parse_security_identifier
from tegata.profiles.model import Demand, Subject, error

# The string form of a SID ([MS-DTYP] section 2.4.2.1), an account of a domain (S-1-5-21).
_SID = re.compile(r"S-1-5-21(?:-(?:0|[1-9][0-9]{0,9})){4}", re.ASCII)
_CITES = "[MS-WCCE] section 2.2.2.7.7.4"


def is_account_sid(text: str) -> bool:
    """Whether `text` is the SID of a domain's account."""
    return (
        _SID.fullmatch(text) is not None
        and max(int(part) for part in text.split("-")[4:]) < 1 << 32
    )


def security_identifier_as_profiled(subject: Subject) -> Finding | None:
    """The extension is there where the profile wants it, and holds the SID of an account."""
    extension = subject.tbs.extensions.get(oids.NTDS_CA_SECURITY)
    if extension is None:
        if subject.profile.security_identifier is not Demand.REQUIRED:
            return None
        return error("security-identifier.missing", _CITES, "the account's SID must be certified")
    try:
        if is_account_sid(parse_security_identifier(extension.value)) and not extension.critical:
            return None
    except DerError:
        pass
    return error("security-identifier.syntax", _CITES, "not critical, the SID of an account")
