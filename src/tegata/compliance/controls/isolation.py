"""Section 6: segregation of tenants in virtual environments.

Two canary tenants attack each other over every route of the API from a process of its own, and
the database is asked for the locks on tenants' rows. Neither says anything of virtual machines,
storage, networks and the provider's own administration: until these are probed too, the best
verdict is *degraded*.
"""

from __future__ import annotations

from datetime import timedelta

from tegata.compliance.model import (
    Canary,
    Commitment,
    Control,
    Judgement,
    Method,
    Numbers,
    Observation,
    Probe,
    Reason,
    Texts,
    Verdict,
)

ROUTES = "isolation.routes"
ROWS = "isolation.rows"
# What a canary of this control plants: a token of one canary tenant in the other's space, and a
# table that no row policy covers.
STRAY_TOKEN = "stray-token"
SHADOW_TABLE = "shadow-table"


def judge_routes(observation: Observation) -> Judgement:
    """No attempt of one tenant may reach what is another's."""
    if observation.violations:
        return breached("isolation.leak", observation)
    if observation.population <= 0 or not observation.counts.get("attempts"):
        return Judgement(Verdict.UNKNOWN, (Reason("isolation.no-attempt"),))
    return Judgement(Verdict.MET)


def judge_rows(observation: Observation) -> Judgement:
    """Every table of tenants has both locks: the statement's, and the row policy."""
    if observation.violations:
        return breached("isolation.exposed", observation)
    if observation.population <= 0:
        return Judgement(Verdict.UNKNOWN, (Reason("isolation.no-table"),))
    unlocked = observation.counts.get("without_second_lock", observation.population)
    if unlocked:
        counted = (("tables", str(unlocked)),)
        return Judgement(Verdict.DEGRADED, (Reason("isolation.one-lock", counted),))
    return Judgement(Verdict.MET)


def breached(code: str, observation: Observation) -> Judgement:
    """A breach, with the first of what was found."""
    first = observation.violations[0]
    values = (
        ("count", str(len(observation.violations))),
        ("thing", first.thing),
        ("where", first.where),
    )
    return Judgement(Verdict.BREACHED, (Reason(code, values),))


CONTROL = Control(
    section="6",
    name="isolation",
    title=Texts("Segregation of tenants", "テナントの分離"),
    numbers=Numbers("CLD.9.5.1", None),
    commitment=Commitment(
        id="isolation",
        sentence=Texts(
            "No customer reaches another customer's data, keys or records. Two tenants of our own "
            "attack each other over every route of the API at least every {minutes} minutes, and "
            "not one attempt may succeed.",
            "あるお客さまが、ほかのお客さまのデータ・鍵・記録に触れることはできません。"
            "当社が設けた2つの試験用テナントが、API のすべての経路で{minutes}分に1回以上、"
            "互いへの侵入を試みます。成功は1件も許しません。",
        ),
        parameters={"minutes": 15},
        scope="all services",
        owner="security",
    ),
    guard="tegata.store.statement; tegata.store.policies; tegata.protocols.rest.operation",
    probes=(
        Probe(
            name=ROUTES,
            method=Method.TEST,
            period=timedelta(minutes=10),
            judge=judge_routes,
            canary=Canary(STRAY_TOKEN, timedelta(minutes=15), timedelta(seconds=60)),
            remote=True,
        ),
        Probe(
            name=ROWS,
            method=Method.EXAMINE,
            period=timedelta(minutes=5),
            judge=judge_rows,
            canary=Canary(SHADOW_TABLE, timedelta(hours=1), timedelta(seconds=60)),
        ),
    ),
    unprobed=(
        Texts("compute", "計算資源"),
        Texts("storage", "ストレージ"),
        Texts("network", "ネットワーク"),
        Texts("administration", "管理系"),
    ),
    claim=Texts(
        "{total_attempts} attempts so far, {total_violations} of them successful. Faults planted: "
        "{planted}, caught: {caught}.",
        "これまでの侵入の試み {total_attempts} 件、うち成功 {total_violations} 件。"
        "仕込んだ障害 {planted} 件、うち検出 {caught} 件。",
    ),
)
