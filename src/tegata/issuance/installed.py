"""Certificates of our CAs that other CAs made: what is asked for, and what is accepted.

The path is verified as RFC 5280 section 6.1 asks of a path between CAs: names, signatures,
validity, basicConstraints, keyUsage, path lengths; what is critical must be known.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tegata.issuance.model import Issuer, NewAuthority, PendingAuthority
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose, SigningKey
from tegata.pkix import oids
from tegata.pkix.certificate import TbsCertificate, parse_certificate, parse_tbs_certificate
from tegata.pkix.der import OCTET_STRING, DerError, content_of
from tegata.pkix.extensions import (
    KeyUsage,
    basic_constraints,
    key_identifier,
    key_usage,
    parse_basic_constraints,
    parse_key_usage,
    subject_key_identifier,
)
from tegata.pkix.foreign import ForeignIssuer
from tegata.pkix.name_constraints import parse_name_constraints
from tegata.pkix.policy_extensions import NameConstraints
from tegata.pkix.request_info import encode_request_info
from tegata.pkix.signatures import SignatureInvalid, verify_certificate
from tegata.profiles.model import IssuerFacts

CHAIN_MAXIMUM = 10
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----")
_NEEDED = frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN})
_UNDERSTOOD = frozenset(
    {
        oids.BASIC_CONSTRAINTS,
        oids.KEY_USAGE,
        oids.NAME_CONSTRAINTS,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.CERTIFICATE_POLICIES,
        oids.CRL_DISTRIBUTION_POINTS,
    }
)


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """A path of CA certificates, the lowest first, with what it allows."""

    chain: tuple[bytes, ...]
    lowest: TbsCertificate
    constraints: tuple[NameConstraints, ...]
    path_length: int | None

    def issuer(
        self, pending: PendingAuthority, tenant: TenantId, urls: tuple[str, str, str]
    ) -> Issuer:
        """The issuer that the certificate makes of a pending one."""
        ocsp, crl, ca_issuers = urls
        return Issuer(
            id=pending.id,
            tenant=tenant,
            name=pending.name,
            parent=None,
            key=pending.key,
            certificate=self.chain[0],
            chain=self.chain,
            facts=IssuerFacts(
                self.lowest.subject,
                key_identifier(pending.key.public_key),
                self.lowest.not_after,
                pending.key.signature_algorithm,
                self.constraints,
                self.path_length,
            ),
            not_before=self.lowest.not_before,
            ocsp_url=ocsp,
            crl_url=crl,
            ca_issuers_url=ca_issuers,
            bounds=pending.bounds,
            predecessor=pending.predecessor,
        )


def pem_certificates(text: str) -> list[bytes]:
    """The certificates (DER) of a PEM text; `Problem(request.malformed)` when it has none."""
    found = []
    for each in _PEM.findall(text):
        try:
            found.append(base64.b64decode("".join(each.split()), validate=True))
        except ValueError as error:
            raise Problem(ProblemCode.REQUEST_MALFORMED, "not PEM (RFC 7468)") from error
    if not found:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "no certificate in PEM (RFC 7468)")
    return found


def request_info(new: NewAuthority, key: SigningKey) -> bytes:
    """The CertificationRequestInfo of a CA (RFC 2986)."""
    length = new.bounds.path_length if new.bounds is not None else None
    extensions = (
        basic_constraints(ca=True, path_length=length),
        key_usage(*_NEEDED),
        subject_key_identifier(key_identifier(key.public_key)),
    )
    return encode_request_info(new.subject, key.public_key, extensions)


def authority_limits(
    chain: Sequence[TbsCertificate],
) -> tuple[tuple[NameConstraints, ...], int | None]:
    """The name constraints and the path length that bind the lowest of a chain, lowest first;
    `DerError` when one of them cannot be read."""
    constraints = []
    length: int | None = None
    for tbs in reversed(chain):
        if length is not None and tbs.subject != tbs.issuer:
            length -= 1
        extension = tbs.extensions.get(oids.BASIC_CONSTRAINTS)
        own = parse_basic_constraints(extension.value).path_length if extension else None
        if own is not None:
            length = own if length is None else min(own, length)
        limits = tbs.extensions.get(oids.NAME_CONSTRAINTS)
        if limits is not None:
            constraints.append(parse_name_constraints(limits.value))
    return tuple(constraints), length


def verified_chain(chain: Sequence[bytes], now: datetime) -> VerifiedChain:
    """Verify a chain (DER, lowest first); `Problem(issuer.certificate-refused)` says why not."""
    if not 1 <= len(chain) <= CHAIN_MAXIMUM:
        raise _refused(f"a chain has 1 to {CHAIN_MAXIMUM} certificates, the issuer's own first")
    try:
        every = [parse_tbs_certificate(parse_certificate(der).tbs) for der in chain]
        for place, tbs in enumerate(every):
            _require_ca(tbs, now)
            above = every[place + 1] if place + 1 < len(every) else tbs
            if tbs.issuer != above.subject:
                if above is tbs:
                    raise _refused("the chain must reach a root (a self-signed certificate)")
                raise _refused("the chain is out of order, or a certificate is missing")
            verify_certificate(chain[place], above.public_key)
        constraints, length = authority_limits(every)
        _require_lengths(every)
    except DerError as error:
        raise _refused(f"a certificate cannot be read: {error}") from error
    except SignatureInvalid as error:
        raise _refused("a signature in the chain does not verify") from error
    return VerifiedChain(tuple(chain), every[0], constraints, length)


def taken_chain(chain: Sequence[bytes], now: datetime) -> VerifiedChain:
    """Verify the chain of a CA that is to be taken over, as `verified_chain` does; but it was made
    long ago. keyUsage may be missing, basicConstraints not critical, and the signatures of any
    algorithm that is not broken (a root's own, which proves nothing, of any)."""
    if not 1 <= len(chain) <= CHAIN_MAXIMUM:
        raise _refused(f"a chain has 1 to {CHAIN_MAXIMUM} certificates, the CA's own first")
    try:
        every = [ForeignIssuer(der) for der in chain]
        for place, each in enumerate(every):
            _require_ca(each.tbs, now, taken=True)
            above = every[place + 1] if place + 1 < len(every) else each
            if each.tbs.issuer != above.tbs.subject:
                if above is each:
                    raise _refused("the chain must reach a root (a self-signed certificate)")
                raise _refused("the chain is out of order, or a certificate is missing")
            above.require_signed(chain[place], strongly=above is not each)
        path = [each.tbs for each in every]
        constraints, length = authority_limits(path)
        _require_lengths(path)
    except DerError as error:
        raise _refused(f"a certificate cannot be read: {error}") from error
    except SignatureInvalid as error:
        raise _refused(f"a signature in the chain does not verify: {error}") from error
    return VerifiedChain(tuple(chain), path[0], constraints, length)


def require_taken(verified: VerifiedChain, purpose: KeyPurpose) -> None:
    """`Problem(issuer.certificate-refused)` when a CA cannot go on as one of that purpose."""
    if purpose is KeyPurpose.ROOT_CA and len(verified.chain) > 1:
        raise _refused("a root's certificate is self-signed, and has none above it")
    length = verified.path_length
    if purpose is not KeyPurpose.ISSUING_CA and length == 0:
        raise _refused("the path length leaves no room for a CA below: an issuing CA")


def require_own(verified: VerifiedChain, pending: PendingAuthority) -> None:
    """`Problem(issuer.certificate-refused)` unless the chain's lowest is for the pending CA."""
    tbs = verified.lowest
    if tbs.public_key != pending.key.public_key:
        raise _refused("the certificate is for another key")
    if tbs.subject != pending.subject:
        raise _refused("the certificate has another subject than the request")
    if len(verified.chain) == 1:
        raise _refused("the chain must have the certificate of the CA that signed")
    identifier = tbs.extensions.get(oids.SUBJECT_KEY_IDENTIFIER)
    wanted = key_identifier(pending.key.public_key)
    # What we issue names it as its authority key identifier (RFC 5280 section 4.2.1.1).
    if identifier is None or content_of(identifier.value, OCTET_STRING) != wanted:
        raise _refused("subjectKeyIdentifier must be the one that the request asks for")
    length = verified.path_length
    if length is not None and length < (pending.key.purpose is not KeyPurpose.ISSUING_CA):
        raise _refused("the path length leaves no room for a CA below")


def _require_ca(tbs: TbsCertificate, now: datetime, *, taken: bool = False) -> None:
    if len(set(tbs.extension_order)) != len(tbs.extension_order):
        raise _refused("an extension stands twice")
    unknown = [
        name for name, each in tbs.extensions.items() if each.critical and name not in _UNDERSTOOD
    ]
    if unknown:
        raise _refused(f"critical extension {', '.join(unknown)} is not known here")
    basic = tbs.extensions.get(oids.BASIC_CONSTRAINTS)
    if basic is None or not parse_basic_constraints(basic.value).ca:
        raise _refused("basicConstraints must say that it is a CA")
    if not basic.critical and not taken:
        raise _refused("basicConstraints must be critical")
    usage = tbs.extensions.get(oids.KEY_USAGE)
    if usage is None and taken:
        pass  # RFC 5280 section 4.2.1.3: without it nothing is forbidden
    elif usage is None or not parse_key_usage(usage.value) >= _NEEDED:
        raise _refused("keyUsage must have keyCertSign and cRLSign")
    if not tbs.not_before <= now <= tbs.not_after:
        raise _refused("a certificate of the chain has expired, or is not valid yet")


def _require_lengths(every: Sequence[TbsCertificate]) -> None:
    for place in range(len(every)):
        length = authority_limits(every[place:])[1]
        if length is not None and length < 0:
            raise _refused("the path is longer than a CA above allows")


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.ISSUER_CERTIFICATE_REFUSED, detail)
