"""Section 21: independent review."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="21",
    name="review",
    title=Texts("Independent review", "独立したレビュー"),
    numbers=Numbers("18.2.1", "5.35"),
    commitment=Commitment(
        id="review",
        sentence=Texts(
            "The management system of the service is audited by an independent body at least "
            "every {months} months, and its certificate is shown with its last day of "
            "validity.",
            "サービスのマネジメントシステムは、{months}か月に1回以上、独立した機関の審査を受"
            "けます。認証書は有効期限とともに掲示します。",
        ),
        parameters={"months": 12},
        scope="all services",
        owner="compliance",
    ),
)
