"""What a certification authority is bound to beyond its profile, and the rules that hold it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from tegata.kernel.finding import Finding
from tegata.pkix.der import DerError
from tegata.pkix.name_constraints import escapes, widens
from tegata.pkix.policy_extensions import CertificatePolicy, NameConstraints
from tegata.profiles.model import CertificateKind, Profile, Subject, error


@dataclass(frozen=True, slots=True)
class AuthorityBounds:
    """What one CA may do, sealed with its key: how many CAs may stand below it (None: any
    number), its name constraints, its policies, and the constraints of those above it."""

    path_length: int | None = None
    constraints: NameConstraints | None = None
    policies: tuple[CertificatePolicy, ...] = ()
    inherited: tuple[NameConstraints, ...] = ()

    @property
    def every_constraint(self) -> tuple[NameConstraints, ...]:
        """Its own constraints and those above it."""
        return self.inherited if self.constraints is None else (*self.inherited, self.constraints)


def bounded_profile(profile: Profile, bounds: AuthorityBounds | None) -> Profile:
    """The profile of one CA's own certificate."""
    if bounds is None:
        return profile
    # What is remembered of a profile is remembered by its digest.
    digest = hashlib.sha256(f"{profile.digest} {bounds!r}".encode()).hexdigest()
    return replace(
        profile,
        path_length=bounds.path_length,
        name_constraints=bounds.constraints,
        policies=bounds.policies,
        digest=digest,
    )


def path_length_within_issuer(subject: Subject) -> Finding | None:
    """A CA stands within the path length of the one above it."""
    above, profile = subject.issuer.path_length, subject.profile
    if profile.kind is not CertificateKind.CA or profile.self_signed or above is None:
        return None
    own = profile.path_length
    if above > 0 and own is not None and own < above:
        return None
    return error(
        "path-length.exceeds-issuer",
        "RFC 5280 section 4.2.1.9",
        f"the issuer allows CAs below it with a path length below {above}",
    )


def constraints_within_issuer(subject: Subject) -> Finding | None:
    """A CA's permitted subtrees lie in those of every CA above it."""
    own = subject.profile.name_constraints
    if own is None:
        return None
    for above in subject.issuer.constraints:
        base = widens(own, above)
        if base is not None:
            return error(
                "name-constraints.widened",
                "RFC 5280 section 6.1.4",
                f"{base.kind}:{base.value} lies outside of what the CAs above may certify",
            )
    return None


def names_within_constraints(subject: Subject) -> Finding | None:
    """Every name lies within the constraints of the issuer and of the CAs above it."""
    if not subject.issuer.constraints:
        return None
    try:
        names = subject.names or ()
    except DerError:
        # Another rule's finding.
        return None
    for constraints in subject.issuer.constraints:
        name = escapes(names, constraints)
        if name is not None:
            return error(
                "name-constraints.escaped",
                "RFC 5280 section 4.2.1.10",
                f"{name.kind}:{name.value} is not a name that the issuer may certify",
            )
    return None
