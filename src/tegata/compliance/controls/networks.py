"""Section 14: virtual and physical networks."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="14",
    name="networks",
    title=Texts("Virtual and physical networks", "仮想ネットワークと物理ネットワークの整合"),
    numbers=Numbers("CLD.13.1.4", None),
    commitment=Commitment(
        id="networks",
        sentence=Texts(
            "Virtual, host and physical networks allow what one written model allows, and "
            "nothing more. A difference is found within {minutes} minutes.",
            "仮想・ホスト・物理の各ネットワークは、文書化した一つの設計が認める通信だけを許し"
            "ます。食い違いは{minutes}分以内に見つけます。",
        ),
        parameters={"minutes": 10},
        scope="all services",
        owner="operations",
    ),
)
