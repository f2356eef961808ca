"""Promises and their evidence: what is promised, what was seen, and what stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from tegata.compliance.canonical import digest_of

LANGUAGES = ("en", "ja")


class Verdict(IntEnum):
    """Whether a promise holds; the greater, the better. Only the two best count as kept."""

    BREACHED = 0
    UNKNOWN = 1
    DEGRADED = 2
    MET_WITH_EXCEPTION = 3
    MET = 4

    @property
    def text(self) -> str:
        """As records, the API and pages write it."""
        return self.name.lower()


class Independence(IntEnum):
    """How far who looks stands from what is looked at."""

    SELF = 0  # the same process
    HOST = 1  # another process, with credentials of its own
    PEER = 2  # another machine and key
    EXTERNAL = 3  # a customer, or a witness

    @property
    def text(self) -> str:
        """As records write it."""
        return self.name.lower()


class Method(StrEnum):
    """How something was looked at (NIST SP 800-53A)."""

    EXAMINE = "EXAMINE"
    INTERVIEW = "INTERVIEW"
    TEST = "TEST"


class RecordKind(StrEnum):
    """What a record tells of: a look, or a planted fault."""

    PROBE = "probe"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is: a code of `compliance.wording`, and what stands in its text."""

    code: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Texts:
    """A sentence in both languages; `{name}` stands for a value."""

    en: str
    ja: str

    def of(self, language: str) -> str:
        """The sentence in one of `LANGUAGES`."""
        return self.ja if language == "ja" else self.en


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where the standards have a control: ISO/IEC 27017:2015 and ISO/IEC 27002:2022 (None for
    what only cloud services have). Numbers are cited, texts never."""

    iso27017_2015: str
    iso27002_2022: str | None


@dataclass(frozen=True, slots=True)
class Commitment:
    """A promise: its sentence, and the numbers in it.

    `terms` is the clause of the terms of service that binds us to it; None while there is none.
    """

    id: str
    sentence: Texts
    parameters: Mapping[str, int]
    scope: str
    owner: str
    terms: str | None = None

    @property
    def revision(self) -> str:
        """A digest of all that is promised: evidence for another wording supports nothing."""
        return digest_of(
            {
                "id": self.id,
                "en": self.sentence.en,
                "ja": self.sentence.ja,
                "parameters": dict(self.parameters),
                "scope": self.scope,
                "owner": self.owner,
                "terms": self.terms,
            }
        )

    def text(self, language: str) -> str:
        """The sentence with its numbers."""
        return self.sentence.of(language).format(**self.parameters)


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be: the thing, and where it was met."""

    thing: str
    where: str


@dataclass(frozen=True, slots=True)
class Tool:
    """What looked; `sha256` is of its own octets."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What a probe saw between two instants of its own clock.

    One that is not `whole` is a look in between: it can find, and proves nothing by not finding.
    """

    probe: str
    tool: Tool
    inputs: str
    started: datetime
    ended: datetime
    population: int
    counts: Mapping[str, int] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an observation means for its promise."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()


Judge = Callable[[Observation], Judgement]


@dataclass(frozen=True, slots=True)
class Canary:
    """A fault that is planted on schedule; unless its probe sees it in `within`, the promise is
    breached. A probe that has caught none for `age_maximum` proves nothing."""

    kind: str
    period: timedelta
    within: timedelta

    @property
    def age_maximum(self) -> timedelta:
        """How long a catch counts."""
        return 2 * self.period + self.within


@dataclass(frozen=True, slots=True)
class Probe:
    """How a promise is measured from outside its guard. `remote` ones run in the monitor."""

    name: str
    method: Method
    period: timedelta
    judge: Judge
    canary: Canary
    remote: bool = False

    @property
    def valid_for(self) -> timedelta:
        """How long what it saw counts."""
        return 2 * self.period


@dataclass(frozen=True, slots=True)
class Control:
    """A section of the white paper: a promise, and what carries it.

    `guard` names the code that refuses. `unprobed` is what the promise covers and nobody measures
    yet: while there is any, the best verdict is *degraded*. `claim` is the sentence that evidence
    fills in.
    """

    section: str
    name: str
    title: Texts
    numbers: Numbers
    commitment: Commitment
    guard: str | None = None
    probes: tuple[Probe, ...] = ()
    unprobed: tuple[Texts, ...] = ()
    claim: Texts | None = None


@dataclass(frozen=True, slots=True)
class Collector:
    """Who brought an observation: the machine's name, a key or token, and how independent."""

    host: str
    key: str
    independence: Independence


@dataclass(frozen=True, slots=True)
class Record:
    """A piece of evidence: number `sequence` of its probe, linked to the one before.

    `received` is the platform's clock; `commitment` the revision that it speaks of.
    """

    id: str
    kind: RecordKind
    control: str
    probe: str
    sequence: int
    previous: str
    commitment: str
    method: Method
    collector: Collector
    tool: Tool
    inputs: str
    population: int
    excluded: tuple[str, ...]
    counts: Mapping[str, int]
    verdict: Verdict
    reasons: tuple[Reason, ...]
    violations: tuple[Violation, ...]
    started: datetime
    ended: datetime
    received: datetime
    valid_until: datetime
    canary: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What all records of a probe come to. `breached_since` stays until a newer positive record
    and a caught canary, both, came after it."""

    sequence: int = 0
    head: str = "0" * 64
    latest: Record | None = None
    first_at: datetime | None = None
    breached_since: datetime | None = None
    breach: tuple[Reason, ...] = ()
    mended: bool = False
    caught_since: bool = False
    planted: int = 0
    caught: int = 0
    caught_at: datetime | None = None
    slowest: timedelta = timedelta(0)
    totals: Mapping[str, int] = field(default_factory=dict)


class CanaryState(StrEnum):
    """Where a planted fault is in its life."""

    PLANTED = "planted"
    CAUGHT = "caught"
    MISSED = "missed"
    # Taken away by a later run of the platform: nobody could have seen it, and it proves nothing.
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """A fault that is to be planted: fixed, and recorded, before it is."""

    id: str
    control: str
    probe: str
    kind: str
    thing: str
    planted_at: datetime
    expires_at: datetime
    state: CanaryState = CanaryState.PLANTED
    caught_at: datetime | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What customers are owed when a promise is broken: the first word by `due_at`."""

    control: str
    detected_at: datetime
    due_at: datetime
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that evidence carries: its values, and the records that they come from."""

    sentence: Texts
    values: Mapping[str, str]
    records: tuple[str, ...]

    def text(self, language: str) -> str:
        """The sentence with its values."""
        return self.sentence.of(language).format(**self.values)
