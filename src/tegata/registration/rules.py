"""What an applicant may ask for: the request turned into a draft, or refused."""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa

from tegata.issuance.model import Draft
from tegata.issuance.rules import EMPTY_NAME, validity_period
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix import oids
from tegata.pkix.csr import CertificateRequest
from tegata.pkix.der import DerError
from tegata.pkix.extensions import parse_basic_constraints
from tegata.pkix.names import (
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    name_text,
    parse_general_names,
    parse_name,
)
from tegata.pkix.policy_extensions import parse_security_identifier, security_identifier
from tegata.profiles.model import Demand, Profile
from tegata.profiles.public_key import RSA_BITS
from tegata.profiles.subject_alternative_name import is_dns_name
from tegata.profiles.weak_rsa import is_weak_exponent, modulus_weakness

# The profile decides these; a request may name them, and is not refused for it.
_DECIDED_BY_PROFILE = frozenset(
    {
        oids.KEY_USAGE,
        oids.EXTENDED_KEY_USAGE,
        oids.BASIC_CONSTRAINTS,
        oids.SUBJECT_KEY_IDENTIFIER,
    }
)
_TAKEN = _DECIDED_BY_PROFILE | {oids.SUBJECT_ALTERNATIVE_NAME}


def draft_from_request(
    request: CertificateRequest, profile: Profile, now: datetime, issuer_end: datetime | None
) -> Draft:
    """A draft with the names and the key that the request asks for.

    A server's request that gives its name only as a common name gets it as an alternative name
    too (RFC 9525 section 2 looks at nothing else). Raises `Problem` with csr.extension-refused,
    csr.weak-key, csr.name-refused or csr.malformed; the lint judges the rest.
    """
    _require_extensions_allowed(request, profile)
    _require_strong_key(request)
    try:
        subject = parse_name(request.subject)
        names = _requested_names(request)
    except (DerError, ValueError) as error:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, str(error)) from error
    if not names and profile.names_required:
        names = _from_common_name(subject, profile)
    if not names and request.subject == EMPTY_NAME:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, "the request names nobody")
    not_before, not_after = validity_period(profile, now, issuer_end)
    return Draft(
        profile=profile,
        subject=request.subject,
        subject_text=name_text(subject),
        public_key=request.public_key,
        names=names,
        not_before=not_before,
        not_after=not_after,
        extensions=_requested_identifier(request, profile),
    )


def _require_strong_key(request: CertificateRequest) -> None:
    if not isinstance(request.key, rsa.RSAPublicKey):
        return
    if request.key.key_size < RSA_BITS[0]:
        raise Problem(ProblemCode.CSR_WEAK_KEY, f"RSA keys have at least {RSA_BITS[0]} bits")
    if request.key.key_size > RSA_BITS[1]:
        # What is longer takes long to look at, and the lint refuses it.
        return
    numbers = request.key.public_numbers()
    if is_weak_exponent(numbers.e):
        raise Problem(ProblemCode.CSR_WEAK_KEY, "RSA exponents are odd and at least 65537")
    weakness = modulus_weakness(numbers.n)
    if weakness is not None:
        raise Problem(ProblemCode.CSR_WEAK_KEY, weakness)


def _require_extensions_allowed(request: CertificateRequest, profile: Profile) -> None:
    refused = [name for name in request.extensions if name not in _TAKEN]
    if profile.security_identifier is not Demand.FORBIDDEN:
        refused = [name for name in refused if name != oids.NTDS_CA_SECURITY]
    if refused:
        raise Problem(
            ProblemCode.CSR_EXTENSION_REFUSED,
            f"{profile.name} takes no extension {', '.join(refused)}",
        )
    constraints = request.extensions.get(oids.BASIC_CONSTRAINTS)
    try:
        asks_for_ca = constraints is not None and parse_basic_constraints(constraints.value).ca
    except DerError as error:
        raise Problem(ProblemCode.CSR_MALFORMED, "basicConstraints") from error
    if asks_for_ca:
        raise Problem(
            ProblemCode.CSR_EXTENSION_REFUSED, "a request cannot ask for a CA certificate"
        )


def _requested_names(request: CertificateRequest) -> tuple[GeneralName, ...]:
    extension = request.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
    if extension is None:
        return ()
    # Host names compare without case (RFC 4343); they are certified in lower case, once each.
    names = (
        GeneralName(name.kind, name.value.lower()) if name.kind is GeneralNameKind.DNS else name
        for name in parse_general_names(extension.value)
    )
    return tuple(dict.fromkeys(names))


def _requested_identifier(request: CertificateRequest, profile: Profile) -> tuple[bytes, ...]:
    extension = request.extensions.get(oids.NTDS_CA_SECURITY)
    if extension is None:
        if profile.security_identifier is Demand.REQUIRED:
            raise Problem(
                ProblemCode.CSR_EXTENSION_REFUSED,
                f"{profile.name} asks for the account's SID, extension {oids.NTDS_CA_SECURITY}",
            )
        return ()
    try:
        # Written anew: what the request says beside the SID is not certified.
        return (security_identifier(parse_security_identifier(extension.value)),)
    except DerError as error:
        raise Problem(ProblemCode.CSR_EXTENSION_REFUSED, str(error)) from error


def _from_common_name(
    subject: tuple[tuple[NameAttribute, ...], ...], profile: Profile
) -> tuple[GeneralName, ...]:
    if GeneralNameKind.DNS not in profile.name_kinds:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, "give the names in a subjectAltName extension")
    names = [
        attribute.value
        for rdn in subject
        for attribute in rdn
        if attribute.attribute_type == oids.COMMON_NAME
    ]
    if len(names) == 1 and is_dns_name(names[0].lower()):
        return (GeneralName(GeneralNameKind.DNS, names[0].lower()),)
    raise Problem(
        ProblemCode.CSR_NAME_REFUSED, "give the server's names in a subjectAltName extension"
    )
