"""Section 19: applicable law and contracts."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="19",
    name="law",
    title=Texts("Applicable law and contracts", "適用法令と契約上の要求事項"),
    numbers=Numbers("18.1.1", "5.31"),
    commitment=Commitment(
        id="law",
        sentence=Texts(
            "The service is governed by Japanese law. When an approval or certification that "
            "a service needs has lapsed, that service accepts no new work, while status "
            "information stays available.",
            "本サービスの準拠法は日本法です。サービスに必要な認定や認証が失効したときは、その"
            "サービスの新規受け付けを止めます。失効情報の提供は続けます。",
        ),
        parameters={},
        scope="all services",
        owner="compliance",
    ),
)
