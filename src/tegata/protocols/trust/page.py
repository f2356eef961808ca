"""The paper as a page: HTML that reads without a script, and says when it stops being true."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone

from tegata.compliance.model import Independence, Verdict
from tegata.compliance.paper import Paper, Section, is_public
from tegata.compliance.records import instant_text
from tegata.compliance.wording import verdict_text
from tegata.kernel.wording import translate

_JST = timezone(timedelta(hours=9))
_TITLE = "Trust centre"
_HERO = "{count} promises, and their evidence"
_PLANTED = "Of {planted} planted faults, {caught} were caught."
_NONE_PLANTED = "No fault has been planted yet."
_AT = "Judged at {at} (Japan Standard Time)"
_PROVEN = (
    "Verdicts come from records of this platform. Where proofs are linked, the record stands in "
    "our public log and cannot be changed unseen; the proof does not show that what it says is "
    "true."
)
_PROOFS = "Proofs"
_EVENT = "event"
_RECORD = "record"
_NO_PROOF = "no proof yet"
_ATTENTION = "Promises that need attention"
_CARRIED = "Promises that evidence carries"
_PROMISE = "Promise"
_NOW = "Now"
_BROKEN = "We are not keeping this promise now."
_UNKNOWN = "We cannot show that we keep this promise: take it as not kept."
_POPULATION = "Population"
_CANARIES = "Planted faults / caught"
_SLOWEST = "Slowest detection"
_LATEST = "Oldest evidence in use"
_UNTIL = "Verdict valid until"
_INDEPENDENCE = "Independence"
_CLAUSES = "Clauses"
_NOTICE = "First notice to customers due by {at}"
_SECONDS = "{seconds} s"
_NOTHING = "none"
_OTHER = "日本語"
_FOOT = "This page shows what the records say up to the time above; it is written anew for readers."
_DECAYED = "The evidence has run out since this page was written."
_INDEPENDENCES = {
    Independence.SELF: "the platform itself",
    Independence.HOST: "another process on the same machine",
    Independence.PEER: "another machine",
    Independence.EXTERNAL: "somebody outside",
}
PAGE_TEXTS = (
    _TITLE, _HERO, _PLANTED, _NONE_PLANTED, _AT, _PROVEN, _PROOFS, _EVENT, _RECORD, _NO_PROOF,
    _ATTENTION, _CARRIED, _PROMISE, _NOW,
    _BROKEN, _UNKNOWN, _POPULATION, _CANARIES, _SLOWEST, _LATEST, _UNTIL, _INDEPENDENCE, _CLAUSES,
    _NOTICE, _SECONDS, _NOTHING, _FOOT, _DECAYED, *_INDEPENDENCES.values(),
)  # fmt: skip

# Shape before colour: a verdict is read without either (console.md section 4.1).
_SHAPES = {
    Verdict.MET: (
        '<circle cx="8" cy="8" r="7" fill="currentColor"/>'
        '<path d="M4.5 8.2l2.4 2.4 4.6-5" fill="none" stroke="#fff" stroke-width="1.8"/>'
    ),
    Verdict.MET_WITH_EXCEPTION: (
        '<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.6"/>'
        '<path d="M4.8 8.2l2.2 2.2 4.2-4.6" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    ),
    Verdict.DEGRADED: (
        '<path d="M8 1.2l7 13.2H1z" fill="currentColor"/>'
        '<path d="M8 6v4.2M8 11.6v1.6" stroke="#fff" stroke-width="1.6"/>'
    ),
    Verdict.UNKNOWN: (
        '<circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.4" '
        'stroke-dasharray="2.4 1.8"/><path d="M6 6.4a2 2 0 1 1 2.9 1.8c-.7.4-.9.8-.9 1.4M8 '
        '11.2v1.2" fill="none" stroke="currentColor" stroke-width="1.4"/>'
    ),
    Verdict.BREACHED: (
        '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" fill="currentColor"/>'
        '<path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" stroke="#fff" stroke-width="1.6"/>'
    ),
}
_CLASSES = {
    Verdict.MET: "met",
    Verdict.MET_WITH_EXCEPTION: "exc",
    Verdict.DEGRADED: "deg",
    Verdict.UNKNOWN: "unk",
    Verdict.BREACHED: "bre",
}
_ORDER = (
    Verdict.MET,
    Verdict.MET_WITH_EXCEPTION,
    Verdict.DEGRADED,
    Verdict.UNKNOWN,
    Verdict.BREACHED,
)
Say = Callable[..., str]


def paper_page(paper: Paper, proven: Collection[str] = ()) -> str:
    """The page of a paper; `proven` are the records that have a proof."""
    language = paper.language

    def say(text: str, **values: str) -> str:
        return html.escape(translate(text, language).format(**values))

    other = "en" if language == "ja" else "ja"
    switch = "English" if other == "en" else _OTHER
    title = say(_TITLE)
    sections = paper.worst_first
    bad = [each for each in sections if each.verdict < Verdict.MET_WITH_EXCEPTION]
    good = [each for each in sections if each.verdict >= Verdict.MET_WITH_EXCEPTION]
    body = _part(say(_ATTENTION), bad, say, proven) + _part(say(_CARRIED), good, say, proven)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} - tegata</title>"
        '<link rel="stylesheet" href="/trust/style.css">'
        '<script src="/trust/decay.js" defer></script></head>'
        f'<body data-decayed="{say(_DECAYED)}" '
        f'data-unknown="{html.escape(verdict_text(Verdict.UNKNOWN, language))}">'
        f'<header class="bar"><p class="name">tegata <span>{title}</span></p>'
        f'<p><a href="/trust?lang={other}" lang="{other}" hreflang="{other}">{switch}</a></p>'
        f"</header><main>{_hero(paper, say)}{body}</main>"
        f"<footer><p>{say(_FOOT)}</p></footer></body></html>\n"
    )


def _hero(paper: Paper, say: Say) -> str:
    counted = "".join(
        f'<li class="{_CLASSES[verdict]}" data-count="{verdict.text}">{_icon(verdict)}'
        f'<b>{paper.count(verdict)}</b> <span class="word">'
        f"{html.escape(verdict_text(verdict, paper.language))}</span></li>"
        for verdict in _ORDER
    )
    planted = sum(section.planted for section in paper.sections)
    caught = sum(section.caught for section in paper.sections)
    faults = (
        say(_PLANTED, planted=f"{planted:,}", caught=f"{caught:,}")
        if planted
        else say(_NONE_PLANTED)
    )
    at = f'<time datetime="{instant_text(paper.at)}">{_local(paper.at)}</time>'
    judged = say(_AT, at="\0").replace("\0", at)
    return (
        f"<h1>{say(_HERO, count=str(len(paper.sections)))}</h1>"
        f'<ul class="counts">{counted}</ul><p class="faults">{faults}</p>'
        f'<p class="meta">{judged}</p><p class="note">{say(_PROVEN)}</p>'
    )


def _part(title: str, sections: list[Section], say: Say, proven: Collection[str]) -> str:
    if not sections:
        return ""
    return f"<h2>{title}</h2>" + "".join(_promise(section, say, proven) for section in sections)


def _promise(section: Section, say: Say, proven: Collection[str]) -> str:
    control, verdict = section.control, section.verdict
    until = section.valid_until
    valid = f' data-valid-until="{instant_text(until)}"' if until is not None else ""
    number = html.escape(control.section)
    return (
        f'<article class="promise {_CLASSES[verdict]}" id="promise-{number}" '
        f'data-section="{number}" data-commitment="{html.escape(control.commitment.id)}" '
        f'data-verdict="{verdict.text}"{valid}>'
        f'<p class="number">{number}</p>'
        f'<div class="text"><p class="verdict">{_icon(verdict)}'
        f"<b>{html.escape(section.verdict_text)}</b></p>"
        f"<h3>{html.escape(section.title)}</h3>"
        f'<p class="sentence"><span class="tag">{say(_PROMISE)}</span>'
        f"{html.escape(section.sentence)}</p>{_now(section, say)}</div>"
        f"{_facts(section, say, proven)}</article>"
    )


def _now(section: Section, say: Say) -> str:
    lines = []
    if section.verdict is Verdict.BREACHED:
        lines.append(f'<p class="now broken">{say(_BROKEN)}</p>')
    elif section.verdict is Verdict.UNKNOWN:
        lines.append(f'<p class="now">{say(_UNKNOWN)}</p>')
    elif section.claim is not None:
        lines.append(
            f'<p class="now claim"><span class="tag">{say(_NOW)}</span>'
            f"{html.escape(section.claim)}</p>"
        )
    if section.reason_texts:
        items = "".join(f"<li>{html.escape(text)}</li>" for text in section.reason_texts)
        lines.append(f'<ul class="reasons">{items}</ul>')
    if section.notice_due_at is not None:
        lines.append(f'<p class="notice">{say(_NOTICE, at=_local(section.notice_due_at))}</p>')
    return "".join(lines)


def _facts(section: Section, say: Say, proven: Collection[str]) -> str:
    control = section.control
    clauses = f"ISO/IEC 27017:2015 {control.numbers.iso27017_2015}"
    if control.numbers.iso27002_2022 is not None:
        clauses += f", ISO/IEC 27002:2022 {control.numbers.iso27002_2022}"
    facts = [(say(_CLAUSES), html.escape(clauses))]
    if control.probes:
        seconds = f"{section.slowest / timedelta(seconds=1):.1f}"
        grade = section.independence
        facts += [
            (say(_POPULATION), f"{section.population:,}"),
            (say(_CANARIES), f"{section.planted:,} / {section.caught:,}"),
            (say(_SLOWEST), say(_SECONDS, seconds=seconds) if section.caught else say(_NOTHING)),
            (say(_LATEST), _instant(section.latest_at, say)),
            (say(_UNTIL), _instant(section.valid_until, say)),
            (
                say(_INDEPENDENCE),
                say(_NOTHING) if grade is None else say(_INDEPENDENCES[grade]),
            ),
            (say(_PROOFS), _proofs(section, say, proven)),
        ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{listed}</dl>'


def _proofs(section: Section, say: Say, proven: Collection[str]) -> str:
    """A record, the event that commits to it, and the event's proof, for each that has one."""
    lines = [
        f'<a href="/trust/evidence/{record.id}.tlog-proof">.tlog-proof</a> '
        f'<a href="/trust/evidence/{record.id}.event.json">{say(_EVENT)}</a>'
        + (
            f' <a href="/trust/evidence/{record.id}.json">{say(_RECORD)}</a>'
            if is_public(record)
            else ""
        )
        for record in section.evidence
        if record.id in proven
    ]
    return "<br>".join(lines) or say(_NO_PROOF)


def _icon(verdict: Verdict) -> str:
    return f'<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">{_SHAPES[verdict]}</svg>'


def _instant(instant: datetime | None, say: Say) -> str:
    if instant is None:
        return say(_NOTHING)
    return f'<time datetime="{instant_text(instant)}">{_local(instant)}</time>'


def _local(instant: datetime) -> str:
    return instant.astimezone(_JST).strftime("%Y/%m/%d %H:%M:%S")
