"""REST operations on promises and their evidence."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from tegata.compliance.model import Collector, Independence, Observation, Tool, Violation
from tegata.compliance.paper import Section
from tegata.compliance.records import encode_record, instant_text
from tegata.compliance.service import find_control
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language
from tegata.protocols.rest.bodies import RequestBody
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.pages import PAGE_LIMIT, page_limit
from tegata.tenancy.model import Action

_NEWEST = 10**18 - 1
_COUNT_MAXIMUM = 2**53 - 1
_VIOLATIONS_MAXIMUM = 100


class ViolationBody(RequestBody):
    """Something that must not be: the thing, and where it was met."""

    thing: str
    where: str


class NewObservation(RequestBody, kw_only=True):
    """What a probe saw. Instants are RFC 3339 with a time zone; digests are SHA-256 in
    hexadecimal; one that is not `whole` is a look in between."""

    probe: str
    tool: str
    tool_version: str
    tool_sha256: str
    inputs_digest: str
    host: str
    started: datetime
    ended: datetime
    population: int
    counts: dict[str, int]
    excluded: list[str]
    violations: list[ViolationBody]
    whole: bool


class EvidenceAnswer(msgspec.Struct):
    """The verdict; null for a look in between that found nothing but planted faults."""

    verdict: str | None


class ControlBody(msgspec.Struct):
    """A promise, and how far evidence carries it now."""

    section: str
    name: str
    title: str
    commitment: str
    revision: str
    iso27017_2015: str
    iso27002_2022: str | None
    sentence: str
    claim: str | None
    verdict: str
    reasons: list[str]
    probes: list[str]
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


class ControlPage(msgspec.Struct):
    """The promises, in the order of the paper."""

    items: list[ControlBody]
    next: str | None


class RecordBody(msgspec.Struct):
    """A record: its canonical octets (RFC 8785), a JSON text."""

    sequence: int
    canonical: str


class RecordPage(msgspec.Struct):
    """Records, newest first; `next` is the `before` of the next page."""

    items: list[RecordBody]
    next: str | None


def control_body(section: Section) -> ControlBody:
    """A promise as the API shows it."""
    control = section.control
    return ControlBody(
        section=control.section,
        name=control.name,
        title=section.title,
        commitment=control.commitment.id,
        revision=control.commitment.revision,
        iso27017_2015=control.numbers.iso27017_2015,
        iso27002_2022=control.numbers.iso27002_2022,
        sentence=section.sentence,
        claim=section.claim,
        verdict=section.verdict.text,
        reasons=section.reason_texts,
        probes=[probe.name for probe in control.probes],
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


async def list_controls(call: Call[NoBody]) -> Answer:
    """Every promise and its verdict."""
    paper = await call.services.papers.paper(choose_language(call.accept_language))
    return Answer(ControlPage([control_body(section) for section in paper.sections], None))


async def get_control(call: Call[NoBody]) -> Answer:
    """One promise, by its name or number."""
    language = choose_language(call.accept_language)
    return Answer(control_body(await call.services.papers.section(call.path["control"], language)))


async def run_control(call: Call[NoBody]) -> Answer:
    """Have a promise's probes look, and their faults planted, as soon as may be."""
    name = call.path["control"]
    await call.services.papers.run(call.principal.scope, name, call.digest)
    language = choose_language(call.accept_language)
    return Answer(control_body(await call.services.papers.section(name, language)))


async def list_records(call: Call[NoBody]) -> Answer:
    """A probe's records, newest first."""
    control = find_control(call.path["control"])
    names = [probe.name for probe in control.probes]
    chosen = call.query.get("probe", names[0] if names else "")
    if not names:
        return Answer(RecordPage([], None))
    if chosen not in names:
        raise Problem(ProblemCode.CONTROL_UNKNOWN, "probes are " + ", ".join(names))
    text = call.query.get("before", str(_NEWEST))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "before is a sequence number")
    limit = page_limit(call.query)
    records = await call.services.evidence.history(chosen, int(text), limit)
    items = [RecordBody(record.sequence, encode_record(record).decode()) for record in records]
    return Answer(RecordPage(items, str(items[-1].sequence) if len(items) == limit else None))


async def submit_evidence(call: Call[NewObservation]) -> Answer:
    """Submit what a probe saw. The token may do this and nothing else."""
    token = call.principal.token
    if token.actions != {Action.EVIDENCE_SUBMIT}:
        # Who may do more could have changed what it tells of.
        raise Problem(ProblemCode.AUTHORIZATION_DENIED, "a collector's token does nothing else")
    # The platform cannot know that a collector is on another machine: it is given no more.
    collector = Collector(call.body.host, token.id, Independence.HOST)
    verdict = await call.services.evidence.collect(_observation(call.body), collector)
    return Answer(EvidenceAnswer(None if verdict is None else verdict.text))


def _observation(body: NewObservation) -> Observation:
    if body.started.tzinfo is None or body.ended.tzinfo is None:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "instants have a time zone")
    numbers = [body.population, *body.counts.values()]
    if not all(0 <= number <= _COUNT_MAXIMUM for number in numbers):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "numbers are from 0 to 2**53 - 1")
    shown = body.violations[:_VIOLATIONS_MAXIMUM]
    return Observation(
        probe=body.probe,
        tool=Tool(body.tool, body.tool_version, body.tool_sha256),
        inputs=body.inputs_digest,
        started=body.started,
        ended=body.ended,
        population=body.population,
        counts=body.counts,
        excluded=tuple(body.excluded),
        violations=tuple(Violation(each.thing, each.where) for each in shown),
        whole=body.whole,
    )


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)


OPERATIONS = (
    Operation(
        "GET", "/v1/controls", "listControls", "List promises and verdicts (operators only)",
        Action.CONTROLS_READ, "compliance:control:list", NoBody, ControlPage, 200, list_controls,
    ),
    Operation(
        "GET", "/v1/controls/{control}", "getControl", "Show a promise (operators only)",
        Action.CONTROLS_READ, "compliance:control:get", NoBody, ControlBody, 200, get_control,
    ),
    Operation(
        "POST", "/v1/controls/{control}/run", "runControl",
        "Have a promise looked at now (operators only)", Action.CONTROLS_RUN,
        "compliance:control:run", NoBody, ControlBody, 202, run_control,
    ),
    Operation(
        "GET", "/v1/controls/{control}/records", "listEvidence",
        "List a promise's evidence (operators only)", Action.CONTROLS_READ,
        "compliance:evidence:list", NoBody, RecordPage, 200, list_records,
        (
            PAGE_LIMIT,
            Parameter("probe", "one of the promise's probes"),
            Parameter(
                "before", "a sequence number",
                {"type": "integer", "minimum": 0, "maximum": _NEWEST, "default": _NEWEST},
            ),
        ),
    ),
    Operation(
        "POST", "/v1/evidence", "submitEvidence", "Submit what a probe saw (collectors only)",
        Action.EVIDENCE_SUBMIT, "compliance:evidence:submit", NewObservation, EvidenceAnswer, 201,
        submit_evidence,
    ),
)  # fmt: skip
