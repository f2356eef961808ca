"""Section 10: capacity."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="10",
    name="capacity",
    title=Texts("Capacity", "容量・能力の管理"),
    numbers=Numbers("12.1.3", "8.6"),
    commitment=Commitment(
        id="capacity",
        sentence=Texts(
            "We keep at least {headroom} times the capacity of the highest measured load, and "
            "act at least {days} days before a resource is forecast to run out.",
            "計測した最大負荷の{headroom}倍以上の能力を保ち、資源が不足する見込みの{days}日"
            "以上前に増強に着手します。",
        ),
        parameters={"headroom": 2, "days": 30},
        scope="all services",
        owner="operations",
    ),
)
