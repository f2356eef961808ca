"""The profiles that the signer process lints by: its own package's, and tenants' documents.

A document is read here again, by the same strict reader, from its canonical form; it can say
nothing that a tenant's may not (`profiles.document_checks.tenant_bounds`): no CA, no responder,
no longer than the platform's bounds. What the caller calls it does not matter, only its digest.
"""

from __future__ import annotations

from collections import OrderedDict

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose
from tegata.profiles.catalogue import CATALOGUE
from tegata.profiles.document import parse_canonical
from tegata.profiles.model import Profile

_KEPT = 4096

# Which subjects' certificates a key signs: those of keys made for a purpose, and (None) all
# others, which are subscribers'.
_SIGNS = {
    KeyPurpose.ROOT_CA: frozenset(
        {
            KeyPurpose.ROOT_CA,
            KeyPurpose.SUBORDINATE_CA,
            KeyPurpose.ISSUING_CA,
            KeyPurpose.OCSP_RESPONDER,
        }
    ),
    KeyPurpose.SUBORDINATE_CA: frozenset(
        {KeyPurpose.SUBORDINATE_CA, KeyPurpose.ISSUING_CA, KeyPurpose.OCSP_RESPONDER}
    ),
    KeyPurpose.ISSUING_CA: frozenset({None, KeyPurpose.OCSP_RESPONDER}),
    KeyPurpose.OCSP_RESPONDER: frozenset[KeyPurpose | None](),
    KeyPurpose.TIMESTAMP: frozenset[KeyPurpose | None](),
    KeyPurpose.LOG: frozenset[KeyPurpose | None](),
}


class ProfileMissing(Exception):
    """The document has not been loaded into this run of the signer, or was pushed out."""


class ProfileBook:
    """Profiles by reference."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, Profile] = OrderedDict()

    def load(self, document: bytes) -> None:
        """Read a document; `Problem(profile.invalid)` when a tenant may not have it."""
        profile = parse_canonical(document)
        self._documents[profile.reference] = profile
        if len(self._documents) > _KEPT:
            self._documents.popitem(last=False)

    def get(self, reference: str, purpose: KeyPurpose) -> Profile:
        """The profile, if a key of that purpose signs its certificates.

        `ProfileMissing` for a document not loaded, `Problem(key.purpose-refused)` for a profile
        that does not exist or is not for the key.
        """
        profile = CATALOGUE.get(reference) or self._documents.get(reference)
        if profile is None:
            if reference.startswith("sha256:"):
                raise ProfileMissing(reference)
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "no such profile")
        if profile.subject_purpose not in _SIGNS[purpose]:
            raise Problem(ProblemCode.KEY_PURPOSE_REFUSED, "not a profile for this key")
        return profile
