"""Section 4: the inventory of what is kept, and whose it is.

Every column, folder, queue and key is classed in `store/inventory/`; start-up refuses what is
not. The probe asks the running database what it really holds, and compares.
"""

from __future__ import annotations

from datetime import timedelta

from tegata.compliance.controls.isolation import SHADOW_TABLE, breached
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

DISCOVERY = "assets.discovery"


def judge_discovery(observation: Observation) -> Judgement:
    """What is kept is what the inventory lists."""
    if observation.violations:
        return breached("assets.unlisted", observation)
    if observation.population <= 0:
        return Judgement(Verdict.UNKNOWN, (Reason("assets.nothing-found"),))
    return Judgement(Verdict.MET)


CONTROL = Control(
    section="4",
    name="assets",
    title=Texts("Inventory of assets", "資産目録"),
    numbers=Numbers("8.1.1", "5.9"),
    commitment=Commitment(
        id="assets",
        sentence=Texts(
            "Everything that the service keeps is listed in one inventory, which tells customers' "
            "data from data derived from it. The stores are searched every {minutes} minutes, and "
            "nothing unlisted may be found.",
            "サービスが保持するものはすべて一つの目録に載せ、お客さまのデータと、"
            "そこから派生したデータを区別します。保存先を{minutes}分ごとに調べ、"
            "目録にないものが見つかることを許しません。",
        ),
        parameters={"minutes": 10},
        scope="all services",
        owner="operations",
    ),
    guard="tegata.store.inventory.require_inventory",
    probes=(
        Probe(
            name=DISCOVERY,
            method=Method.EXAMINE,
            period=timedelta(minutes=5),
            judge=judge_discovery,
            canary=Canary(SHADOW_TABLE, timedelta(hours=1), timedelta(seconds=60)),
        ),
    ),
    unprobed=(
        Texts("contents of columns", "項目の中身"),
        Texts("log mirrors and backups", "ログの写しとバックアップ"),
        Texts("hosts and equipment", "ホストと機器"),
    ),
    claim=Texts(
        "{columns} columns, {folders} files and folders and {queues} queues were found, all of "
        "them listed. Faults planted: {planted}, caught: {caught}.",
        "項目 {columns} 件、ファイルとフォルダー {folders} 件、キュー {queues} 件を確かめ、"
        "すべて目録に載っていました。仕込んだ障害 {planted} 件、うち検出 {caught} 件。",
    ),
)
