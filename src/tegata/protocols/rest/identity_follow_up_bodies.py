"""What the REST API takes and gives about what follows a verification, as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tegata.identity.consent import Consent
from tegata.identity.jlis import ConsentState, LatestAttributes, StatusMethod
from tegata.identity.record import ConfirmationRecord, Watch
from tegata.identity.watch import HOURS_MAXIMUM
from tegata.protocols.rest.bodies import Instant, Reference, RequestBody
from tegata.protocols.rest.identity_bodies import (
    AttributesBody,
    Base64,
    CheckBody,
    Text,
    attributes_body,
    check_body,
    optional_time,
    time_text,
)


class NewConsent(RequestBody):
    """A consent that the person signed in a session whose document was `text`: certificate and
    signature (base64) as they were submitted."""

    session: Reference
    text: Text
    certificate: Base64
    signature: Base64


class ConsentBody(msgspec.Struct):
    """A consent as J-LIS holds it."""

    id: str
    user: str
    purpose: str
    state: ConsentState
    given_at: str
    expires_at: str
    withdrawn_at: str | None


class LatestAttributesBody(msgspec.Struct):
    """What J-LIS knows now of what the purpose asks for."""

    attributes: AttributesBody
    as_of: str


class NewWatch(RequestBody):
    """A watch: where news of changed statuses goes, how often is looked."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    hours: Annotated[int, Meta(ge=1, le=HOURS_MAXIMUM)] = 24
    status: StatusMethod = StatusMethod.CRL


class WatchBody(msgspec.Struct):
    """A watch. `secret` (hexadecimal), with which news is signed, is shown once."""

    url: str
    hours: int
    status: StatusMethod
    secret: str | None


class ContractEnd(RequestBody):
    """When the contract ended."""

    ended_at: Instant


class LegalHold(RequestBody):
    """Whether a record is kept beyond its time."""

    held: bool


class StepBody(msgspec.Struct):
    """Something that was done, and when."""

    name: str
    at: str


class MethodBody(msgspec.Struct):
    """How the person was confirmed: our own code, and what it is under a law's version in force.
    `article` is empty where its letter is not settled."""

    code: str
    law: str
    version: str
    article: str
    permitted: bool


class RecordBody(msgspec.Struct):
    """A confirmation record."""

    id: str
    session: str
    user: str
    case: str
    method: MethodBody
    made_at: str
    relying_party: str
    verified_by: str
    recorded_by: str
    purpose: str
    legal_purpose: str
    document: str
    identifier: str
    person: AttributesBody | None
    binding: str
    text: str
    steps: list[StepBody]
    facts: dict[str, str]
    checks: list[CheckBody]
    contract_ended_at: str | None
    retain_until: str | None
    legal_hold: bool


class RecordPage(msgspec.Struct):
    """Confirmation records of a case, oldest first."""

    items: list[RecordBody]
    next: str | None


def consent_body(consent: Consent) -> ConsentBody:
    """A consent as it is answered."""
    return ConsentBody(
        consent.id, consent.user, consent.purpose, consent.state, time_text(consent.given_at),
        time_text(consent.expires_at), optional_time(consent.withdrawn_at),
    )  # fmt: skip


def latest_body(latest: LatestAttributes) -> LatestAttributesBody:
    """Latest attributes as they are answered."""
    return LatestAttributesBody(attributes_body(latest.attributes), time_text(latest.as_of))


def watch_body(watch: Watch, *, fresh: bool) -> WatchBody:
    """A watch as it is answered; its secret only when it was just made."""
    return WatchBody(watch.url, watch.hours, watch.method, watch.secret.hex() if fresh else None)


def record_body(record: ConfirmationRecord, language: str) -> RecordBody:
    """A record as it is answered."""
    evidence = record.evidence
    method = evidence.method
    return RecordBody(
        id=record.id,
        session=record.session,
        user=record.user,
        case=evidence.case,
        method=MethodBody(
            method.code, method.law, method.version.isoformat(), method.article, method.permitted
        ),
        made_at=time_text(record.made_at),
        relying_party=evidence.relying_party,
        verified_by=evidence.verified_by,
        recorded_by=evidence.recorded_by,
        purpose=evidence.purpose,
        legal_purpose=evidence.legal_purpose,
        document=evidence.document,
        identifier=evidence.identifier,
        person=attributes_body(evidence.person) if evidence.person is not None else None,
        binding=evidence.binding,
        text=evidence.text,
        steps=[StepBody(step.name, time_text(step.at)) for step in evidence.steps],
        facts=dict(evidence.facts),
        checks=[check_body(check, language) for check in evidence.checks],
        contract_ended_at=optional_time(record.contract_ended_at),
        retain_until=optional_time(record.retain_until),
        legal_hold=record.legal_hold,
    )
