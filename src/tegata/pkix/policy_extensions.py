"""Extensions with an issuer's policy in them: certificatePolicies, nameConstraints, and the
account identifier that Microsoft's domain controllers ask for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tegata.pkix import oids
from tegata.pkix.der import (
    IA5_STRING,
    UTF8_STRING,
    DerError,
    Explicit,
    Implicit,
    ObjectIdentifier,
    decode,
    encode_octet_string,
    encode_oid,
    encode_sequence,
    explicit,
    implicit,
    sequence,
    wrap,
)
from tegata.pkix.extensions import encode_extension
from tegata.pkix.names import GeneralName, GeneralNameKind

_SUBTREE_TAGS = {
    GeneralNameKind.EMAIL: 1,
    GeneralNameKind.DNS: 2,
    GeneralNameKind.URI: 6,
    GeneralNameKind.IP: 7,
}


@dataclass(frozen=True, slots=True)
class CertificatePolicy:
    """One PolicyInformation (RFC 5280 section 4.2.1.4) with its optional qualifiers."""

    policy_identifier: str
    cps_uri: str = ""
    user_notice: str = ""


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """nameConstraints (RFC 5280 section 4.2.1.10). Bases are as the section writes them: a host
    or domain, a mailbox, host or ``.domain``, an address with its prefix length."""

    permitted: tuple[GeneralName, ...] = ()
    excluded: tuple[GeneralName, ...] = ()


def encode_certificate_policies(policies: Sequence[CertificatePolicy]) -> bytes:
    """The value of certificatePolicies."""
    return encode_sequence(*(_policy(policy) for policy in policies))


def _policy(policy: CertificatePolicy) -> bytes:
    qualifiers = []
    if policy.cps_uri:
        uri = wrap(IA5_STRING, policy.cps_uri.encode("ascii"))
        qualifiers.append(encode_sequence(encode_oid(oids.POLICY_CPS), uri))
    if policy.user_notice:
        text = encode_sequence(wrap(UTF8_STRING, policy.user_notice.encode()))
        qualifiers.append(encode_sequence(encode_oid(oids.POLICY_USER_NOTICE), text))
    listed = encode_sequence(*qualifiers) if qualifiers else b""
    return encode_sequence(encode_oid(policy.policy_identifier), listed)


def encode_name_constraints(constraints: NameConstraints) -> bytes:
    """The value of nameConstraints."""
    parts = [
        implicit(number, b"".join(_subtree(base) for base in bases), constructed=True)
        for number, bases in enumerate((constraints.permitted, constraints.excluded))
        if bases
    ]
    return encode_sequence(*parts)


def _subtree(base: GeneralName) -> bytes:
    tag = _SUBTREE_TAGS[base.kind]
    if base.kind is GeneralNameKind.IP:
        network = ipaddress.ip_network(base.value)
        return encode_sequence(
            implicit(tag, network.network_address.packed + network.netmask.packed)
        )
    return encode_sequence(implicit(tag, base.value.encode("ascii")))


@sequence
class _SidName:
    type_id: ObjectIdentifier
    value: Annotated[bytes, Explicit(0)]


@sequence
class _SidNames:
    name: Annotated[_SidName, Implicit(0)]


def security_identifier(sid: str) -> bytes:
    """szOID_NTDS_CA_SECURITY_EXT with an account's SID ([MS-WCCE] section 2.2.2.7.7.4)."""
    value = explicit(0, encode_octet_string(sid.encode("ascii")))
    name = implicit(0, encode_oid(oids.NTDS_OBJECT_SID) + value, constructed=True)
    return encode_extension(oids.NTDS_CA_SECURITY, encode_sequence(name))


def parse_security_identifier(value: bytes) -> str:
    """The SID in the extension's value; `DerError` when it holds anything else."""
    name = decode(_SidNames, value).name
    if name.type_id.dotted_string != oids.NTDS_OBJECT_SID:
        raise DerError(f"otherName of type {name.type_id.dotted_string}, not an object's SID")
    try:
        return name.value.decode("ascii")
    except UnicodeDecodeError as error:
        raise DerError("a SID is ASCII text") from error
