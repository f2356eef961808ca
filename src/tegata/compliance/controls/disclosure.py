"""Section 18: collection of evidence."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="18",
    name="disclosure",
    title=Texts("Collection of evidence", "証拠の収集と開示"),
    numbers=Numbers("16.1.7", "5.28"),
    commitment=Commitment(
        id="disclosure",
        sentence=Texts(
            "A request for records is answered within {days} working days after {people} "
            "people have reviewed it. What is withheld is counted and stated, and no record "
            "can be dropped unseen.",
            "記録の開示請求には、{people}名による審査を経て、{days}営業日以内に回答します。"
            "開示しない部分は件数と理由を示し、気づかれずに記録を除くことができない形で提供し"
            "ます。",
        ),
        parameters={"days": 5, "people": 2},
        scope="all services",
        owner="desk",
    ),
)
