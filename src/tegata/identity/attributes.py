"""What can be learnt of a verified person without being told: does this match, is this age reached.

Both answer from the session's confirmation record and hand out no attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tegata.identity.jlis import FourAttributes
from tegata.identity.model import SessionId, VerdictResult
from tegata.identity.ports import IdentityStore
from tegata.identity.rules.law import JAPAN
from tegata.identity.rules.matching import (
    Match,
    is_over,
    match_address,
    match_birth,
    match_name,
    match_sex,
)
from tegata.identity.rules.my_number import has_my_number
from tegata.identity.service import session_event
from tegata.kernel.event import Decision
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Claims:
    """What a person wrote about themselves."""

    name: str | None = None
    address: str | None = None
    birth: date | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class AttributeService:
    """Compares; never hands out."""

    store: IdentityStore
    clock: Clock

    async def match(
        self, scope: TenantScope, session: SessionId, claims: Claims, request_digest: bytes
    ) -> Mapping[str, Match]:
        """Compare what was written with what was verified.

        Raises `Problem`: session.unknown, attributes.not-asked (the session verified none),
        text.my-number.
        """
        if any(text and has_my_number(text) for text in (claims.name, claims.address)):
            raise Problem(ProblemCode.MY_NUMBER_REFUSED, "in a field that identifies")
        own = await self._verified(scope, session)
        found: dict[str, Match] = {}
        if claims.name is not None:
            found["name"] = match_name(own.name, own.name_substitutes, claims.name)
        if claims.address is not None:
            found["address"] = match_address(own.address, own.address_substitutes, claims.address)
        if claims.birth is not None:
            found["birth"] = match_birth(own.birth, claims.birth)
        if claims.sex is not None:
            found["sex"] = match_sex(own.sex, claims.sex)
        private = {name: result.value for name, result in found.items()}
        await self._note(scope, "match", session, request_digest, private)
        return found

    async def reaches_age(
        self, scope: TenantScope, session: SessionId, years: int, request_digest: bytes
    ) -> Match:
        """Whether the person has reached an age today (in Japan), without their birth date."""
        own = await self._verified(scope, session)
        day = self.clock.now().astimezone(JAPAN).date()
        result = is_over(own.birth, years, day)
        private = {"age": str(years), "result": result.value}
        await self._note(scope, "age", session, request_digest, private)
        return result

    async def _verified(self, scope: TenantScope, identifier: SessionId) -> FourAttributes:
        session = await self.store.find_session(scope, identifier)
        if session is None:
            raise Problem(ProblemCode.SESSION_UNKNOWN, "no such session")
        verified = session.verdict is not None and (
            session.verdict.result is VerdictResult.VERIFIED
        )
        record = None
        if verified and session.record is not None:
            record = await self.store.find_record(scope, session.record)
        if record is None or record.evidence.person is None:
            raise Problem(ProblemCode.ATTRIBUTES_NOT_ASKED, "the session verified no attributes")
        return record.evidence.person

    async def _note(
        self,
        scope: TenantScope,
        act: str,
        session: SessionId,
        request_digest: bytes,
        private: dict[str, str],
    ) -> None:
        async with self.store.open_identity_unit(scope) as unit:
            unit.audit(
                session_event(scope, act, session, request_digest, Decision.ALLOWED, "", private)
            )
            await unit.commit()
