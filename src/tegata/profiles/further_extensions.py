"""Extensions that a profile writes out itself: policies, name constraints and its own."""

from __future__ import annotations

from tegata.kernel.finding import Finding
from tegata.pkix import oids
from tegata.pkix.policy_extensions import encode_certificate_policies, encode_name_constraints
from tegata.profiles.model import CustomExtension, Demand, Profile, Subject, error

# What other tables of a document write, or nobody's profile does: everything of RFC 5280, the
# responder's and Microsoft's extension, and a certificate's log entries (RFC 6962 section 3).
_RESERVED_ARCS = ("2.5.29.", "1.3.6.1.5.5.7.1.", "1.3.6.1.5.5.7.48.", "1.3.6.1.4.1.11129.2.4.")


def is_reserved(extension_id: str) -> bool:
    """Whether an extension is one that a profile cannot write out itself."""
    return extension_id.startswith(_RESERVED_ARCS) or extension_id == oids.NTDS_CA_SECURITY


def profiled_extensions(profile: Profile) -> tuple[CustomExtension, ...]:
    """The extensions, in order, that are equal in all certificates of a profile."""
    found: tuple[CustomExtension, ...] = ()
    if profile.policies:
        value = encode_certificate_policies(profile.policies)
        found += (CustomExtension(oids.CERTIFICATE_POLICIES, False, value),)
    if profile.name_constraints is not None:
        # RFC 5280 section 4.2.1.10: CAs MUST mark it critical.
        value = encode_name_constraints(profile.name_constraints)
        found += (CustomExtension(oids.NAME_CONSTRAINTS, True, value),)
    return found + profile.custom_extensions


def further_extensions_known(profile: Profile) -> frozenset[str]:
    """Which extensions beside the usual ones a profile's certificates may have."""
    known = {each.extension_id for each in profiled_extensions(profile)}
    if profile.security_identifier is not Demand.FORBIDDEN:
        known.add(oids.NTDS_CA_SECURITY)
    return frozenset(known)


def extensions_as_profiled(subject: Subject) -> Finding | None:
    """Policies, name constraints and a profile's own extensions are those of the profile."""
    for expected in profiled_extensions(subject.profile):
        extension = subject.tbs.extensions.get(expected.extension_id)
        if (
            extension is None
            or extension.critical != expected.critical
            or extension.value != expected.value
        ):
            return error(
                "extension.not-as-profiled",
                "RFC 5280 section 4.2",
                f"extension {expected.extension_id} must be as {subject.profile.name} writes it",
            )
    return None
