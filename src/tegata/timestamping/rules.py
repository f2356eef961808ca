"""Pure decisions of time-stamping: what may be stamped, by whom, and when."""

from __future__ import annotations

from datetime import datetime, timedelta

from tegata.issuance.model import Issuer
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose, SignatureAlgorithm, choose_signature_algorithm
from tegata.pkix import oids
from tegata.pkix.names import encode_name, parse_name
from tegata.pkix.tsp import IMPRINT_OCTETS, TimeStampRequest
from tegata.pkix.tsp_token import TOKEN_DIGESTS
from tegata.profiles.vocabulary import is_oid
from tegata.timestamping.model import (
    ClockFault,
    ClockReading,
    NewTimestampAuthority,
    Stamping,
    TimestampAuthority,
)

# How long a unit's key signs, and how long before that it is replaced.
KEY_PERIOD = timedelta(days=395)
UNIT_RENEWAL = timedelta(days=30)
POLICIES_MAXIMUM = 20
ACCURACY_MAXIMUM = timedelta(minutes=1)
_OID_MAXIMUM = 128
_NAME_MAXIMUM = 100
_TITLE_MAXIMUM = 40


def require_possible(new: NewTimestampAuthority, issuer: Issuer) -> SignatureAlgorithm:
    """How the keys of a new authority will sign; `Problem` for one that cannot be."""
    if issuer.key.purpose is not KeyPurpose.ISSUING_CA:
        raise Problem(
            ProblemCode.REQUEST_MALFORMED, "a unit's certificate is an issuing CA's to make"
        )
    if not new.name.strip() or len(new.name) > _NAME_MAXIMUM or not new.name.isprintable():
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"a name has 1 to {_NAME_MAXIMUM} characters")
    wrong = [each for each in new.policies if not is_oid(each) or len(each) > _OID_MAXIMUM]
    if wrong or not 1 <= len(new.policies) <= POLICIES_MAXIMUM:
        raise Problem(
            ProblemCode.REQUEST_MALFORMED,
            f"policies are 1 to {POLICIES_MAXIMUM} object identifiers in dotted form",
        )
    if len(set(new.policies)) != len(new.policies):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "a policy stands twice")
    if not timedelta(milliseconds=1) <= new.accuracy <= ACCURACY_MAXIMUM:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "an accuracy is 1 to 60000 milliseconds")
    chosen = choose_signature_algorithm(new.algorithm, new.signature_algorithm)
    if chosen not in TOKEN_DIGESTS:
        raise Problem(ProblemCode.KEY_ALGORITHM_REFUSED, f"tokens are not signed with {chosen}")
    return chosen


def unit_subject(issuer_subject: bytes, name: str, now: datetime) -> bytes:
    """The Name (DER) of a unit: its CA's organization, and a common name of its own."""
    given = {each.attribute_type: each.value for rdn in parse_name(issuer_subject) for each in rdn}
    organization = given.get(oids.ORGANIZATION)
    attributes = [(oids.ORGANIZATION, organization)] if organization else []
    # 64 characters is the bound (RFC 5280 appendix A.1).
    common_name = f"{name[:_TITLE_MAXIMUM]} TSU {now:%Y%m%d%H%M%S}"
    return encode_name([*attributes, (oids.COMMON_NAME, common_name)])


def key_end(now: datetime, not_after: datetime) -> datetime:
    """Until when a unit's key signs: a year and a month, and never beyond its certificate."""
    return min(now.replace(microsecond=0) + KEY_PERIOD, not_after)


def renewal_instant(key_until: datetime, now: datetime) -> datetime:
    """When a unit is replaced: a month before its key's end, or at half of a shorter life."""
    return max(key_until - UNIT_RENEWAL, now + (key_until - now) / 2)


def require_request(request: TimeStampRequest, authority: TimestampAuthority) -> str:
    """The policy that a request is stamped under; `Problem` for one that must not be (RFC 3161
    sections 2.4.1 and 2.4.2)."""
    if request.version != 1:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "only version 1 is understood")
    octets = IMPRINT_OCTETS.get(request.imprint.algorithm)
    if octets is None:
        raise Problem(
            ProblemCode.TIMESTAMP_ALGORITHM_REFUSED, "stamped are SHA-256, SHA-384 and SHA-512"
        )
    if len(request.imprint.digest) != octets:
        raise Problem(
            ProblemCode.TIMESTAMP_IMPRINT_LENGTH, f"a digest of that algorithm has {octets} octets"
        )
    if request.extensions:
        # Whether critical or not: one that is not recognized SHALL be refused.
        raise Problem(ProblemCode.TIMESTAMP_EXTENSION_REFUSED, "no extension is recognized")
    if request.policy is None:
        return authority.policies[0]
    if request.policy not in authority.policies:
        raise Problem(ProblemCode.TIMESTAMP_POLICY_REFUSED, "not a policy of this authority")
    return request.policy


def require_stamping(stamping: Stamping) -> None:
    """`Problem` for an authority that does not stamp."""
    if not stamping.tenant_works:
        raise Problem(ProblemCode.TENANT_SUSPENDED, "the tenant is suspended")
    if stamping.authority.disabled_at is not None:
        raise Problem(ProblemCode.TIMESTAMP_AUTHORITY_DISABLED, "the authority is disabled")
    if stamping.revoked:
        raise Problem(
            ProblemCode.TIMESTAMP_UNIT_UNUSABLE, "the unit's certificate, or a CA's, is not good"
        )


def require_time(reading: ClockReading, stamping: Stamping) -> None:
    """`Problem(clock.untrusted)` when it is not sure enough what time it is;
    `Problem(timestamp.unit-unusable)` when the unit's time is over."""
    if reading.fault is ClockFault.JUMPED:
        raise Problem(ProblemCode.CLOCK_UNTRUSTED, "the clock has jumped")
    if reading.fault is not None:
        raise Problem(ProblemCode.CLOCK_UNTRUSTED, "the clock is not synchronised")
    error = reading.maximum_error
    if error is not None and error > stamping.authority.accuracy:
        raise Problem(
            ProblemCode.CLOCK_UNTRUSTED, "the clock's error is larger than the stated accuracy"
        )
    if not reading.instant < min(stamping.unit.key_until, stamping.unit.not_after):
        raise Problem(ProblemCode.TIMESTAMP_UNIT_UNUSABLE, "the unit's key or certificate ended")


def gen_time(instant: datetime, *, ordering: bool) -> datetime:
    """The genTime of a token: milliseconds, which is more than accuracies promise, or as many
    digits as there are where tokens are ordered by them."""
    if ordering:
        return instant
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
