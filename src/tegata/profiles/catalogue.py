"""The built-in profiles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import oids
from tegata.pkix.extensions import KeyUsage
from tegata.pkix.names import GeneralNameKind
from tegata.profiles.model import CertificateKind, Profile

_ORGANISATIONAL = frozenset(
    {
        oids.COUNTRY,
        oids.STATE_OR_PROVINCE,
        oids.LOCALITY,
        oids.ORGANIZATION,
        oids.ORGANIZATIONAL_UNIT,
        oids.COMMON_NAME,
    }
)
_YEAR = timedelta(days=365)

ROOT_CA = Profile(
    name="root-ca",
    version=1,
    kind=CertificateKind.CA,
    validity=20 * _YEAR,
    max_validity=25 * _YEAR,
    key_usage=frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN}),
    key_encipherment_for_rsa=False,
    extended_key_usage=(),
    subject_types=_ORGANISATIONAL,
    name_kinds=frozenset(),
    names_required=False,
    self_signed=True,
    public=False,
)

ISSUING_CA = Profile(
    name="issuing-ca",
    version=1,
    kind=CertificateKind.CA,
    validity=10 * _YEAR,
    max_validity=15 * _YEAR,
    key_usage=frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN}),
    key_encipherment_for_rsa=False,
    extended_key_usage=(),
    subject_types=_ORGANISATIONAL,
    name_kinds=frozenset(),
    names_required=False,
    path_length=0,
    public=False,
)

OCSP_RESPONDER = Profile(
    name="ocsp-responder",
    version=1,
    kind=CertificateKind.END_ENTITY,
    validity=timedelta(days=30),
    max_validity=timedelta(days=31),
    key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE}),
    key_encipherment_for_rsa=False,
    extended_key_usage=(oids.OCSP_SIGNING,),
    subject_types=_ORGANISATIONAL,
    name_kinds=frozenset(),
    names_required=False,
    public=False,
    ocsp_no_check=True,
)

TLS_SERVER = Profile(
    name="tls-server",
    version=1,
    kind=CertificateKind.END_ENTITY,
    validity=timedelta(days=90),
    max_validity=timedelta(days=398),
    key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE}),
    key_encipherment_for_rsa=True,
    extended_key_usage=(oids.SERVER_AUTH,),
    subject_types=_ORGANISATIONAL,
    name_kinds=frozenset({GeneralNameKind.DNS, GeneralNameKind.IP}),
    names_required=True,
)

TLS_CLIENT = Profile(
    name="tls-client",
    version=1,
    kind=CertificateKind.END_ENTITY,
    validity=timedelta(days=90),
    max_validity=timedelta(days=398),
    key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE}),
    key_encipherment_for_rsa=False,
    extended_key_usage=(oids.CLIENT_AUTH,),
    subject_types=_ORGANISATIONAL | {oids.SERIAL_NUMBER},
    name_kinds=frozenset({GeneralNameKind.DNS, GeneralNameKind.EMAIL, GeneralNameKind.URI}),
    names_required=False,
)

CATALOGUE: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (ROOT_CA, ISSUING_CA, OCSP_RESPONDER, TLS_SERVER, TLS_CLIENT)
}


def get_profile(name: str) -> Profile:
    """A profile by its name; `Problem(profile.unknown)` when there is none."""
    profile = CATALOGUE.get(name)
    if profile is None:
        raise Problem(ProblemCode.PROFILE_UNKNOWN, "no such certificate profile")
    return profile


def get_public_profile(name: str) -> Profile:
    """A profile that tenants may ask for; `Problem(profile.unknown)` for all others."""
    profile = get_profile(name)
    if not profile.public:
        raise Problem(ProblemCode.PROFILE_UNKNOWN, "no such certificate profile")
    return profile
