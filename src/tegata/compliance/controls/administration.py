"""Section CLD.12.1.5: administrators' operations."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="CLD.12.1.5",
    name="administration",
    title=Texts("Administrators' operations", "管理者による操作"),
    numbers=Numbers("CLD.12.1.5", None),
    commitment=Commitment(
        id="administration",
        sentence=Texts(
            "Critical operations are written down, need {people} people, and are shown to the "
            "customers concerned as they happen.",
            "重要な操作は手順を文書化し、{people}名の承認がなければ実行できません。実行した"
            "操作は、関係するお客さまにその都度示します。",
        ),
        parameters={"people": 2},
        scope="all services",
        owner="operations",
    ),
)
