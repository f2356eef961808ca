"""The paper for machines."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from tegata.compliance.paper import Paper, Section
from tegata.compliance.records import instant_text


class PromiseBody(msgspec.Struct):
    """A promise. `claim` is null unless evidence carries one; instants are RFC 3339 in UTC."""

    section: str
    commitment: str
    revision: str
    iso27017_2015: str
    iso27002_2022: str | None
    title: str
    sentence: str
    verdict: str
    reasons: list[str]
    claim: str | None
    population: int
    planted: int
    caught: int
    slowest_detection_seconds: float
    independence: str | None
    latest_at: str | None
    valid_until: str | None
    breached_since: str | None
    notice_due_at: str | None
    records: list[str]


class PaperBody(msgspec.Struct):
    """The paper at one instant."""

    language: str
    at: str
    promises: list[PromiseBody]


def paper_json(paper: Paper) -> bytes:
    """The paper as JSON."""
    promises = [_promise(section) for section in paper.sections]
    return msgspec.json.encode(PaperBody(paper.language, instant_text(paper.at), promises))


def _promise(section: Section) -> PromiseBody:
    control = section.control
    return PromiseBody(
        section=control.section,
        commitment=control.commitment.id,
        revision=control.commitment.revision,
        iso27017_2015=control.numbers.iso27017_2015,
        iso27002_2022=control.numbers.iso27002_2022,
        title=section.title,
        sentence=section.sentence,
        verdict=section.verdict.text,
        reasons=section.reason_texts,
        claim=section.claim,
        population=section.population,
        planted=section.planted,
        caught=section.caught,
        slowest_detection_seconds=section.slowest / timedelta(seconds=1),
        independence=None if section.independence is None else section.independence.text,
        latest_at=_maybe(section.latest_at),
        valid_until=_maybe(section.valid_until),
        breached_since=_maybe(section.breached_since),
        notice_due_at=_maybe(section.notice_due_at),
        records=list(section.records),
    )


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)
