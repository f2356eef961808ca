"""Pure decisions of a take-over: what a list says, and what is recorded of what was handed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tegata.issuance.installed import authority_limits
from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.issuance.taken import Staged, TakenRecord, TakeOver
from tegata.kernel.ids import TenantId, encode_certificate_id
from tegata.kernel.month import expiry_month
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.crl_reader import TbsCertList
from tegata.pkix.der import DerError
from tegata.pkix.foreign import ForeignIssuer, authority_key_of, pem_block, read_again
from tegata.pkix.signatures import SignatureInvalid
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.model import IssuerFacts

CRL_MAXIMUM = 256 << 20
# The octets of a new certificate's id, for a month of expiry.
Identify = Callable[[int], bytes]
# What the store holds; RFC 5280 section 5.2.3 would allow 20 octets.
NUMBER_MAXIMUM = (1 << 62) - 1


def read_crl(issuer: ForeignIssuer, octets: bytes, take_over: TakeOver) -> TbsCertList:
    """The CA's list, PEM or DER; `Problem(take-over.refused)` for one that it did not make, that
    is older than what is known of it, or does not list everything."""
    try:
        crl = issuer.read_crl(pem_block(octets, b"X509 CRL"))
    except (DerError, SignatureInvalid) as error:
        raise _refused(f"the list: {error}") from error
    if crl.base is not None:
        raise _refused("a delta list says only what changed: hand in the complete one")
    require_number(crl.number, take_over)
    if take_over.point is not None and crl.point is not None and crl.point != take_over.point:
        raise _refused("lists of several distribution points: hand in one that lists everything")
    return crl


def require_number(number: int, take_over: TakeOver | None = None) -> None:
    """`Problem(take-over.refused)` for a CRL number that would go back, or is none."""
    if not 0 <= number <= NUMBER_MAXIMUM:
        raise _refused("a CRL number is positive and below 2 to the power of 62")
    known = take_over.crl_number if take_over is not None else None
    if known is not None and number < known:
        raise _refused(f"the CRL number {number} would go back: {known} was given before")


def taken_issuer(take_over: TakeOver, tenant: TenantId, urls: tuple[str, str, str]) -> Issuer:
    """The issuer that a take-over becomes."""
    path = [parse_tbs_certificate(parse_certificate(der).tbs) for der in take_over.chain]
    constraints, path_length = authority_limits(path)
    ocsp, crl, ca_issuers = urls
    own = path[0]
    return Issuer(
        id=take_over.id,
        tenant=tenant,
        name=take_over.name,
        parent=None,
        key=take_over.key,
        certificate=take_over.chain[0],
        chain=take_over.chain,
        facts=IssuerFacts(
            own.subject,
            authority_key_of(own),
            own.not_after,
            take_over.key.signature_algorithm,
            constraints,
            path_length,
        ),
        not_before=own.not_before,
        ocsp_url=ocsp,
        crl_url=crl,
        ca_issuers_url=ca_issuers,
        bounds=AuthorityBounds(
            0 if take_over.key.purpose is KeyPurpose.ISSUING_CA else path_length,
            constraints[0] if len(path) == 1 and constraints else None,
        ),
    )


def taken_record(
    staged: Staged, take_over: TakeOver, tenant: TenantId, issuer_end: datetime, identify: Identify
) -> tuple[TakenRecord, bytes]:
    """What is recorded of a serial number, and its certificate's id, which carries its month.

    A serial that is only known to be revoked may be valid as long as its CA, until `issuer_end`:
    it is listed until then.
    """
    shard = 0 if take_over.point is None else 1
    if staged.der is None:
        end = staged.not_after or issuer_end
        alone = TakenRecord(take_over.id, staged.serial, None, (), staged.revoked, end, shard)
        return alone, b""
    found = read_again(staged.der)
    octets = identify(max(expiry_month(found.not_after), 0))
    certificate = IssuedCertificate(
        id=encode_certificate_id(octets),
        tenant=tenant,
        issuer=take_over.id,
        serial=found.serial,
        profile=staged.profile,
        profile_version=0,
        subject=found.subject,
        not_before=found.not_before,
        not_after=found.not_after,
        der=found.der,
        shard=shard,
    )
    record = TakenRecord(
        take_over.id, found.serial, certificate, found.names, staged.revoked, found.not_after, shard
    )
    return record, octets


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.TAKE_OVER_REFUSED, detail)
