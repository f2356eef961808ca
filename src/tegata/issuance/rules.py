"""Pure decisions of issuance: the octets of a certificate, and whether they may be signed."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from tegata.issuance.model import Draft, Issuer, Linted, Reserved, ReservedSerial
from tegata.issuance.shards import shard_url
from tegata.kernel.finding import Finding
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyAlgorithm
from tegata.pkix.algorithms import KeyKind
from tegata.pkix.certificate import encode_tbs_certificate
from tegata.pkix.extensions import (
    authority_information_access,
    authority_key_identifier,
    basic_constraints,
    crl_distribution_points,
    encode_extension,
    extended_key_usage,
    key_identifier,
    key_usage,
    ocsp_no_check,
    subject_alternative_name,
    subject_key_identifier,
)
from tegata.pkix.name_constraints import escapes
from tegata.profiles.further_extensions import profiled_extensions
from tegata.profiles.lint import lint
from tegata.profiles.model import NO_EXPIRATION, CertificateKind, IssuerFacts, Profile
from tegata.profiles.public_key import key_kind
from tegata.profiles.usage import expected_key_usage

# Clocks of relying parties are not all right: a certificate is valid a little before it exists.
BACKDATE = timedelta(minutes=5)
_POST_QUANTUM = frozenset({KeyAlgorithm.ML_DSA_44, KeyAlgorithm.ML_DSA_65, KeyAlgorithm.ML_DSA_87})
EMPTY_NAME = b"\x30\x00"
# Stands where the serial will: as long as every serial we make.
PLACEHOLDER_SERIAL = 0x01 << 144


def validity_period(
    profile: Profile, now: datetime, not_after_issuer: datetime | None
) -> tuple[datetime, datetime]:
    """notBefore and notAfter for a certificate made now, within its issuer's life."""
    not_before = now.replace(microsecond=0) - BACKDATE
    # notAfter is inclusive (RFC 5280 section 4.1.2.5): one second less than the period.
    if profile.no_expiration:
        return not_before, NO_EXPIRATION
    not_after = not_before + profile.validity - timedelta(seconds=1)
    if not_after_issuer is not None and not_after_issuer < not_after:
        not_after = not_after_issuer
    return not_before, not_after


def responder_algorithm(issuer: KeyAlgorithm) -> KeyAlgorithm:
    """The algorithm of an issuer's OCSP responder.

    P-256 for classical issuers: small answers that everybody reads. An ML-DSA issuer's answers
    are ML-DSA too, of the same strength, or its status would be the part that can be forged.
    """
    return issuer if issuer in _POST_QUANTUM else KeyAlgorithm.P256


class CertificateTemplate:
    """What all certificates of one profile, issuer and key kind share, encoded once."""

    def __init__(self, profile: Profile, issuer: Issuer, public_key: bytes) -> None:
        self._before = (
            basic_constraints(
                ca=profile.kind is CertificateKind.CA, path_length=profile.path_length
            ),
            key_usage(*expected_key_usage(profile, public_key)),
            *_extended_key_usage(profile),
            *(
                encode_extension(each.extension_id, each.value, critical=each.critical)
                for each in profiled_extensions(profile)
            ),
        )
        self._authority = (authority_key_identifier(issuer.facts.key_identifier),)
        self._after: tuple[bytes, ...] = ()
        names_status = not (profile.ocsp_no_check or profile.self_signed)
        self._names_crl = names_status and profile.crl_distribution_points
        if profile.ocsp_no_check:
            self._after = (ocsp_no_check(),)
        elif not profile.self_signed and (profile.ocsp or profile.ca_issuers):
            self._after = (
                authority_information_access(
                    ocsp=issuer.ocsp_url if profile.ocsp else None,
                    ca_issuers=issuer.ca_issuers_url if profile.ca_issuers else None,
                ),
            )

    def extensions(self, draft: Draft, crl_url: str) -> tuple[bytes, ...]:
        """The extensions of a certificate that names the CRL at `crl_url`, in order."""
        names: tuple[bytes, ...] = ()
        if draft.names:
            critical = draft.subject == EMPTY_NAME
            names = (subject_alternative_name(draft.names, critical=critical),)
        identifier = subject_key_identifier(key_identifier(draft.public_key))
        point = (_distribution_point(crl_url),) if self._names_crl else ()
        before = (*self._before, identifier, *self._authority)
        return (*before, *point, *self._after, *names, *draft.extensions)


# A shard's certificates come one after the other: few shards are in use at once.
_distribution_point = lru_cache(maxsize=256)(crl_distribution_points)


def _extended_key_usage(profile: Profile) -> tuple[bytes, ...]:
    if not profile.extended_key_usage:
        return ()
    critical = profile.extended_key_usage_critical
    return (extended_key_usage(*profile.extended_key_usage, critical=critical),)


def template_key(draft: Draft) -> tuple[str, int, str, KeyKind]:
    """What a template depends on beside its issuer. The digest tells apart the documents of two
    tenants that gave them one name."""
    profile = draft.profile
    return profile.name, profile.version, profile.digest, key_kind(draft.public_key)


def lint_draft(draft: Draft, template: CertificateTemplate, issuer: Issuer) -> Linted:
    """Run every rule on the draft's octets; `Problem(lint.refused)` with what they found.

    Serial and CRL shard are not known yet: a placeholder and the first shard stand for them. The
    signer runs the rules again on the octets with the real ones, before it signs.
    """
    extensions = template.extensions(draft, shard_url(issuer.crl_url, 1))
    findings = draft_findings(draft, extensions, issuer.facts)
    if findings:
        raise Problem(ProblemCode.LINT_REFUSED, findings[0].message, findings)
    return Linted(draft, template.extensions)


def draft_findings(
    draft: Draft, extensions: tuple[bytes, ...], issuer: IssuerFacts
) -> list[Finding]:
    """What every rule says to a draft's octets; empty when nothing is wrong with them."""
    tbs = _encode(draft, extensions, issuer, PLACEHOLDER_SERIAL)
    return lint(tbs, draft.profile, issuer)


def require_within_issuer(draft: Draft, issuer: IssuerFacts) -> None:
    """`Problem(lint.refused)` for a draft that would outlive its issuer, or escape its names."""
    end = None if draft.profile.no_expiration else issuer.not_after
    if end is not None and draft.not_after > end:
        raise Problem(ProblemCode.LINT_REFUSED, "notAfter is later than the issuer's")
    for constraints in issuer.constraints:
        # The signer knows what our own CAs above demand, not what somebody else's do.
        name = escapes(draft.names, constraints)
        if name is not None:
            raise Problem(
                ProblemCode.LINT_REFUSED,
                f"{name.kind}:{name.value} is not a name that the issuer may certify",
            )


def under_serial(linted: Linted, place: ReservedSerial, issuer: IssuerFacts) -> Reserved:
    """Put a reserved serial, and the CRL that lists it, into a linted draft."""
    extensions = linted.extensions(linted.draft, place.crl_url)
    return Reserved(linted, place, _encode(linted.draft, extensions, issuer, place.serial))


def _encode(draft: Draft, extensions: tuple[bytes, ...], issuer: IssuerFacts, serial: int) -> bytes:
    return encode_tbs_certificate(
        serial=serial,
        issuer=issuer.subject,
        not_before=draft.not_before,
        not_after=draft.not_after,
        subject=draft.subject,
        public_key=draft.public_key,
        extensions=extensions,
        signature_algorithm=issuer.signature_algorithm,
    )
