"""The built-in profiles: one document each, in the folder `documents`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from tegata.kernel.problem import Problem, ProblemCode
from tegata.profiles.document import parse_document
from tegata.profiles.model import CertificateKind, Profile

# In the order in which they are listed.
_NAMES = (
    "root-ca", "subordinate-ca", "issuing-ca", "ocsp-responder", "tls-server", "tls-client",
    "mutual-tls", "smime", "code-signing", "document-signing", "time-stamping", "vpn-ike",
    "wifi-eap-tls", "smartcard-logon", "device-identity",
)  # fmt: skip


def built_in_document(name: str) -> str:
    """The document of a built-in profile, as it is shipped."""
    return files("tegata.profiles").joinpath(f"documents/{name}.toml").read_text("utf-8")


CATALOGUE: Mapping[str, Profile] = {
    name: parse_document(built_in_document(name), built_in=True) for name in _NAMES
}
ROOT_CA = CATALOGUE["root-ca"]
SUBORDINATE_CA = CATALOGUE["subordinate-ca"]
ISSUING_CA = CATALOGUE["issuing-ca"]
OCSP_RESPONDER = CATALOGUE["ocsp-responder"]
TLS_SERVER = CATALOGUE["tls-server"]
TLS_CLIENT = CATALOGUE["tls-client"]
TIME_STAMPING = CATALOGUE["time-stamping"]

CA_PROFILES = frozenset(name for name, each in CATALOGUE.items() if each.kind is CertificateKind.CA)


def get_profile(name: str) -> Profile:
    """A profile by its name; `Problem(profile.unknown)` when there is none."""
    profile = CATALOGUE.get(name)
    if profile is None:
        raise Problem(ProblemCode.PROFILE_UNKNOWN, "no such certificate profile")
    return profile


def find_public_profile(name: str) -> Profile | None:
    """A built-in profile that tenants may ask for, if there is one of this name."""
    profile = CATALOGUE.get(name)
    return profile if profile is not None and profile.public else None


def get_public_profile(name: str) -> Profile:
    """A profile that tenants may ask for; `Problem(profile.unknown)` for all others."""
    profile = find_public_profile(name)
    if profile is None:
        raise Problem(ProblemCode.PROFILE_UNKNOWN, "no such certificate profile")
    return profile
