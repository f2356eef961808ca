"""Section 9: disposal and re-use of equipment."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="9",
    name="disposal",
    title=Texts("Disposal and re-use of equipment", "機器の廃棄と再利用"),
    numbers=Numbers("11.2.7", "7.14"),
    commitment=Commitment(
        id="disposal",
        sentence=Texts(
            "No storage medium of our centre leaves it, or is used again, before it has been "
            "wiped and {people} people have confirmed the result. For commercial clouds we "
            "rely on the provider's evidence and show it.",
            "自社センターの記憶媒体は、消去して{people}名で結果を確かめるまで、持ち出すこと"
            "も再利用することもしません。商用クラウドについては、事業者が示す証拠によることを"
            "明らかにし、それを掲示します。",
        ),
        parameters={"people": 2},
        scope="own centre",
        owner="operations",
    ),
)
