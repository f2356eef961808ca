"""Section 13: technical vulnerabilities."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="13",
    name="vulnerabilities",
    title=Texts("Technical vulnerabilities", "技術的ぜい弱性の管理"),
    numbers=Numbers("12.6.1", "8.8"),
    commitment=Commitment(
        id="vulnerabilities",
        sentence=Texts(
            "We assess every component of every release. A vulnerability that is being "
            "exploited is closed within {exploited_hours} hours of becoming known, a critical "
            "one within {critical_days} days, and customers are told what concerns them.",
            "リリースに含まれるすべての構成要素を評価します。悪用が確認されたぜい弱性は判明か"
            "ら{exploited_hours}時間以内、深刻なものは{critical_days}日以内に対処し、お客さ"
            "まに関係する情報をお知らせします。",
        ),
        parameters={"exploited_hours": 48, "critical_days": 7},
        scope="all services",
        owner="security",
    ),
)
