"""What another profile would say to a certificate that was issued."""

from __future__ import annotations

from dataclasses import replace

from tegata.issuance.model import Draft, Issuer
from tegata.issuance.rules import CertificateTemplate, draft_findings
from tegata.issuance.shards import shard_url
from tegata.kernel.finding import Finding, Severity
from tegata.pkix import oids
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.extensions import encode_extension
from tegata.pkix.names import parse_general_names
from tegata.profiles.model import Profile

# The platform chooses the period: these would have made it another one, and refused nothing.
_SHORTENS = frozenset({"validity.too-long", "validity.expires"})


def rehearse(profile: Profile, issuer: Issuer, certificate: bytes) -> tuple[Finding, ...]:
    """Every finding on the subject, names, key and period of a certificate (DER) under a profile;
    a warning is one that would have changed it, an error one that would have refused it."""
    tbs = parse_tbs_certificate(parse_certificate(certificate).tbs)
    names = tbs.extensions.get(oids.SUBJECT_ALTERNATIVE_NAME)
    identifier = tbs.extensions.get(oids.NTDS_CA_SECURITY)
    draft = Draft(
        profile=profile,
        subject=tbs.subject,
        subject_text="",
        public_key=tbs.public_key,
        names=parse_general_names(names.value) if names is not None else (),
        not_before=tbs.not_before,
        not_after=tbs.not_after,
        extensions=()
        if identifier is None
        else (encode_extension(oids.NTDS_CA_SECURITY, identifier.value),),
    )
    template = CertificateTemplate(profile, issuer, draft.public_key)
    extensions = template.extensions(draft, shard_url(issuer.crl_url, 1))
    return tuple(
        replace(finding, severity=Severity.WARNING) if finding.code in _SHORTENS else finding
        for finding in draft_findings(draft, extensions, issuer.facts)
    )
