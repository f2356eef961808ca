"""Section 12: monitoring of the service."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="12",
    name="monitoring",
    title=Texts("Monitoring of the service", "サービスの監視"),
    numbers=Numbers("CLD.12.4.5", None),
    commitment=Commitment(
        id="monitoring",
        sentence=Texts(
            "Attempts at unauthorised access are blocked within {seconds} seconds, changed "
            "files are seen, and customers concerned get the first notice within {minutes} "
            "minutes of detection.",
            "不正アクセスの試みは{seconds}秒以内に遮断し、ファイルの改ざんを検知します。影響"
            "を受けるお客さまには、検知から{minutes}分以内に第一報をお届けします。",
        ),
        parameters={"seconds": 10, "minutes": 60},
        scope="all services",
        owner="operations",
    ),
)
