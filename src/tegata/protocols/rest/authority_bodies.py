"""Bodies of the REST API about certification authorities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from tegata.issuance.model import Issuer, LinkKind, NewAuthority, PendingAuthority, PolicyDocument
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose, SignatureAlgorithm
from tegata.pkix.certificate import encode_pem
from tegata.pkix.name_constraints import constraint_base
from tegata.pkix.names import GeneralName, encode_name
from tegata.pkix.policy_extensions import CertificatePolicy, NameConstraints
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.vocabulary import ATTRIBUTES, is_oid
from tegata.protocols.rest.bodies import Reference, RequestBody, instant_text

KINDS = {
    "root": KeyPurpose.ROOT_CA,
    "subordinate": KeyPurpose.SUBORDINATE_CA,
    "issuing": KeyPurpose.ISSUING_CA,
}


class Constraints(RequestBody):
    """Name constraints; each base is ``kind:value`` with the kinds dns, ip, email and uri."""

    permitted: list[str] = msgspec.field(default_factory=list)
    excluded: list[str] = msgspec.field(default_factory=list)


class Policy(RequestBody):
    """A certificate policy: its identifier, and where its practice statement is."""

    identifier: str
    cps_uri: str = ""


class NewIssuer(RequestBody):
    """A CA that is to be made. `kind` is root, subordinate (CAs below it) or issuing; `subject`
    are attributes by their names in RFC 5280; an `external` one is certified elsewhere."""

    name: str
    kind: str
    subject: dict[str, str]
    parent: Reference | None = None
    external: bool = False
    key_algorithm: str = "p256"
    signature_algorithm: str | None = None
    path_length: int | None = None
    validity_days: int | None = None
    name_constraints: Constraints | None = None
    policies: list[Policy] = msgspec.field(default_factory=list)


class InstalledCertificate(RequestBody):
    """A certificate and those above it up to a root, in PEM, the issuer's own first."""

    certificate: str


class Rekey(RequestBody):
    """What the next generation's key is to be; by default as the last one's."""

    key_algorithm: str | None = None
    signature_algorithm: str | None = None


class NewPolicyDocument(RequestBody):
    """A certificate policy or practice statement (RFC 3647): Markdown or plain text."""

    title: str
    text: str
    language: str = "en"
    media_type: str = "text/markdown"


class PolicyBody(msgspec.Struct):
    """A version of an issuer's policy document."""

    version: int
    title: str
    language: str
    media_type: str
    text: str
    published_at: str


class PolicyPage(msgspec.Struct):
    """An issuer's policy documents, newest first."""

    items: list[PolicyBody]
    next: str | None


class LinkBody(msgspec.Struct):
    """A certificate between two generations of a root (RFC 4210 section 4.4)."""

    kind: str
    certificate: str


class IssuerBody(msgspec.Struct):
    """A certification authority. One that waits for its certificate has a `csr`."""

    id: str
    name: str
    kind: str
    state: str
    key_algorithm: str
    signature_algorithm: str
    parent: str | None
    predecessor: str | None
    path_length: int | None
    permitted: list[str]
    excluded: list[str]
    not_before: str
    not_after: str
    certificate: str
    chain: list[str]
    ocsp_url: str
    crl_url: str
    ca_issuers_url: str
    csr: str | None = None
    links: list[LinkBody] = msgspec.field(default_factory=list)


class IssuerPage(msgspec.Struct):
    """A page of the tenant's certification authorities, oldest first; `next` is the `after` of the
    next page."""

    items: list[IssuerBody]
    next: str | None


class StopBody(msgspec.Struct):
    """Whether nothing is issued, and by whom."""

    scope: str
    stopped: bool


def new_authority(body: NewIssuer) -> NewAuthority:
    """What a body asks for; `Problem(request.malformed)` when it cannot be."""
    if not 1 <= len(body.name) <= 100 or not body.name.isprintable():
        raise _malformed("a name has 1 to 100 printable characters")
    purpose = KINDS.get(body.kind)
    if purpose is None:
        raise _malformed(f"kind is {', '.join(KINDS)}")
    constraints = body.name_constraints
    given = None
    if constraints is not None and (constraints.permitted or constraints.excluded):
        given = NameConstraints(
            tuple(_base(each) for each in constraints.permitted),
            tuple(_base(each) for each in constraints.excluded),
        )
    if body.path_length is not None and not 0 <= body.path_length <= 20:
        raise _malformed("path_length is 0 to 20")
    return NewAuthority(
        name=body.name,
        purpose=purpose,
        subject=_subject(body.subject),
        algorithm=key_algorithm(body.key_algorithm),
        signature_algorithm=signature_algorithm(body.signature_algorithm),
        validity=_days(body.validity_days),
        bounds=AuthorityBounds(
            body.path_length, given, tuple(_policy(each) for each in body.policies)
        ),
    )


def _base(text: str) -> GeneralName:
    kind, _, value = text.partition(":")
    try:
        return constraint_base(kind, value)
    except ValueError as error:
        raise _malformed(f"{text}: {error}") from error


def _days(days: int | None) -> timedelta | None:
    if days is not None and not 1 <= days <= 36_500:
        raise _malformed("validity_days is 1 to 36500")
    return timedelta(days=days) if days is not None else None


def key_algorithm(text: str) -> KeyAlgorithm:
    """A key's algorithm by its name."""
    try:
        return KeyAlgorithm(text)
    except ValueError as error:
        raise _malformed(f"key_algorithm is {', '.join(KeyAlgorithm)}") from error


def signature_algorithm(text: str | None) -> SignatureAlgorithm | None:
    """A signature algorithm by its name."""
    try:
        return SignatureAlgorithm(text) if text is not None else None
    except ValueError as error:
        raise _malformed(f"signature_algorithm is {', '.join(SignatureAlgorithm)}") from error


def _subject(given: dict[str, str]) -> bytes:
    unknown = given.keys() - ATTRIBUTES.keys()
    if unknown or "commonName" not in given:
        raise _malformed(f"a subject has a commonName, and may have {', '.join(ATTRIBUTES)}")
    # From the general to the particular, whatever the order they came in.
    try:
        return encode_name(
            [(ATTRIBUTES[name], given[name]) for name in ATTRIBUTES if name in given]
        )
    except ValueError as error:
        raise _malformed(str(error)) from error


def _policy(body: Policy) -> CertificatePolicy:
    if not is_oid(body.identifier):
        raise _malformed("a policy's identifier is an object identifier in dotted form")
    if body.cps_uri and not (body.cps_uri.isascii() and body.cps_uri.startswith("http")):
        raise _malformed("cps_uri is an http address")
    return CertificatePolicy(body.identifier, body.cps_uri)


def issuer_body(issuer: Issuer, state: str, links: Sequence[tuple[LinkKind, bytes]]) -> IssuerBody:
    """An issuer as it is answered."""
    permitted = [each for one in issuer.facts.constraints for each in one.permitted]
    excluded = [each for one in issuer.facts.constraints for each in one.excluded]
    return IssuerBody(
        id=issuer.id,
        name=issuer.name,
        kind=issuer.key.purpose,
        state=state,
        key_algorithm=issuer.key.algorithm,
        signature_algorithm=issuer.key.signature_algorithm,
        parent=issuer.parent,
        predecessor=issuer.predecessor,
        path_length=issuer.facts.path_length,
        permitted=[f"{each.kind}:{each.value}" for each in permitted],
        excluded=[f"{each.kind}:{each.value}" for each in excluded],
        not_before=instant_text(issuer.not_before),
        not_after=instant_text(issuer.facts.not_after) if issuer.facts.not_after else "",
        certificate=encode_pem("CERTIFICATE", issuer.certificate),
        chain=[encode_pem("CERTIFICATE", der) for der in issuer.chain[1:]],
        ocsp_url=issuer.ocsp_url,
        crl_url=issuer.crl_url,
        ca_issuers_url=issuer.ca_issuers_url,
        links=[LinkBody(kind, encode_pem("CERTIFICATE", der)) for kind, der in links],
    )


def pending_body(pending: PendingAuthority) -> IssuerBody:
    """A CA that waits for its certificate, as it is answered."""
    bounds = pending.bounds or AuthorityBounds()
    return IssuerBody(
        id=pending.id,
        name=pending.name,
        kind=pending.key.purpose,
        state="pending",
        key_algorithm=pending.key.algorithm,
        signature_algorithm=pending.key.signature_algorithm,
        parent=None,
        predecessor=pending.predecessor,
        path_length=bounds.path_length,
        permitted=[],
        excluded=[],
        not_before="",
        not_after="",
        certificate="",
        chain=[],
        ocsp_url="",
        crl_url="",
        ca_issuers_url="",
        csr=encode_pem("CERTIFICATE REQUEST", pending.request),
    )


def policy_body(document: PolicyDocument) -> PolicyBody:
    """A policy document as it is answered."""
    return PolicyBody(
        document.version,
        document.title,
        document.language,
        document.media_type,
        document.text,
        instant_text(document.published_at),
    )


def _malformed(detail: str) -> Problem:
    return Problem(ProblemCode.REQUEST_MALFORMED, detail)
