"""Section 20: intellectual property."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="20",
    name="intellectual-property",
    title=Texts("Intellectual property", "知的財産権"),
    numbers=Numbers("18.1.2", "5.32"),
    commitment=Commitment(
        id="intellectual-property",
        sentence=Texts(
            "Anybody can raise a concern about intellectual property with our desk at any "
            "hour and gets a receipt at once. Every component that we deliver has a known "
            "licence.",
            "知的財産権に関するご相談は、時間を問わず窓口で受け付け、直ちに受領書を発行します。"
            "提供物に含まれるすべての構成要素について、ライセンスを把握します。",
        ),
        parameters={},
        scope="all services",
        owner="desk",
    ),
)
