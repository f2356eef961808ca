"""Section 5: removal of customers' assets."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="5",
    name="removal",
    title=Texts("Removal of customers' assets", "お客さまの資産の除去"),
    numbers=Numbers("CLD.8.1.5", None),
    commitment=Commitment(
        id="removal",
        sentence=Texts(
            "When a contract ends we hand over the customer's data, erase it within {days} "
            "days by destroying its keys and deleting it, and give a certificate of it. What "
            "the law or the CP says to keep is listed there with its last day.",
            "契約の終了時には、データをお引き渡ししたうえで、{days}日以内に鍵の破棄と削除に"
            "よって消去し、消去証明書をお渡しします。法令または証明書ポリシーにより残すものは、"
            "期限とともに証明書に記します。",
        ),
        parameters={"days": 30},
        scope="all services",
        owner="tenancy",
    ),
)
