"""Section 15: analysis of security requirements."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="15",
    name="requirements",
    title=Texts("Analysis of security requirements", "セキュリティ要求事項の分析"),
    numbers=Numbers("14.1.1", "5.8"),
    commitment=Commitment(
        id="requirements",
        sentence=Texts(
            "Each security requirement of the service has a number, an owner and a test that "
            "runs with every release. What customers need to judge the service is published "
            "or given on request.",
            "サービスのセキュリティ要求事項には、それぞれ番号と責任者を定め、リリースのたびに"
            "試験します。お客さまの判断に必要な情報は、公開するか、ご請求に応じて開示します。",
        ),
        parameters={},
        scope="all services",
        owner="security",
    ),
)
