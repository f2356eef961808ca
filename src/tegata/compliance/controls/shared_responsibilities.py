"""Section CLD.6.3.1: shared responsibilities."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="CLD.6.3.1",
    name="shared-responsibilities",
    title=Texts("Shared responsibilities", "責任の分担"),
    numbers=Numbers("CLD.6.3.1", None),
    commitment=Commitment(
        id="shared-responsibilities",
        sentence=Texts(
            "For every control we say what is ours and what is the customer's, and show each "
            "customer whether its own settings do its part.",
            "管理策ごとに、当社の責任とお客さまの責任を示します。お客さまごとに、ご自身の設定"
            "がその役割を果たしているかどうかも表示します。",
        ),
        parameters={},
        scope="all services",
        owner="compliance",
    ),
)
