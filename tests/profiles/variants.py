"""TBSCertificates that are right but for what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tegata.issuance.rules import CertificateTemplate
from tegata.kernel.finding import Finding
from tegata.kernel.signing import SignatureAlgorithm
from tegata.pkix import oids
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.der import (
    Extension,
    decode,
    encode_integer,
    encode_sequence,
    encode_time,
    explicit,
)
from tegata.pkix.extensions import key_identifier, subject_alternative_name, subject_key_identifier
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.profiles.lint import lint
from tegata.profiles.model import Profile
from tests.issuance.drafts import a_draft, a_place, issuer_of


@dataclass(frozen=True)
class Variant:
    """A certificate of a profile with some of its parts replaced.

    `extensions` replaces encoded extensions by OID, or leaves them out where it has None; `more`
    stands after them. A replaced key brings its own subject key identifier.
    """

    profile: Profile
    serial: int | None = None
    version: int = 2
    signature: bytes = algorithm_identifier(SignatureAlgorithm.ECDSA_SHA256)
    issuer: bytes | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    subject: bytes | None = None
    key: bytes | None = None
    extensions: Mapping[str, bytes | None] = field(default_factory=dict)
    more: Sequence[bytes] = ()

    def tbs(self) -> bytes:
        """Return the octets."""
        draft = a_draft(self.profile)
        issuer = issuer_of(self.profile)
        template = CertificateTemplate(self.profile, issuer, draft.public_key)
        parts: dict[str, bytes | None] = {
            decode(Extension, each).extension_id.dotted_string: each
            for each in template.extensions(draft, issuer.crl_url)
        }
        if self.key is not None:
            parts[oids.SUBJECT_KEY_IDENTIFIER] = subject_key_identifier(key_identifier(self.key))
        parts.update(self.extensions)
        extensions = [each for each in parts.values() if each is not None]
        serial = a_place(draft).serial if self.serial is None else self.serial
        return encode_sequence(
            explicit(0, encode_integer(self.version)),
            encode_integer(serial),
            self.signature,
            issuer.facts.subject if self.issuer is None else self.issuer,
            encode_sequence(
                encode_time(self.not_before or draft.not_before),
                encode_time(self.not_after or draft.not_after),
            ),
            draft.subject if self.subject is None else self.subject,
            draft.public_key if self.key is None else self.key,
            explicit(3, encode_sequence(*extensions, *self.more)),
        )

    def findings(self) -> list[Finding]:
        """Return what the lint says."""
        return lint(self.tbs(), self.profile, issuer_of(self.profile).facts)

    def codes(self) -> list[str]:
        """Return the codes of what the lint says."""
        return [finding.code for finding in self.findings()]


def dns(*hosts: str) -> bytes:
    """Return a subjectAltName of host names."""
    return general(*(GeneralName(GeneralNameKind.DNS, host) for host in hosts))


def general(*names: GeneralName) -> bytes:
    """Return a subjectAltName."""
    return subject_alternative_name(names)
