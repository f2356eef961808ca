"""Section 17: reporting of security events."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="17",
    name="reporting",
    title=Texts("Reporting of security events", "情報セキュリティ事象の報告"),
    numbers=Numbers("16.1.2", "6.8"),
    commitment=Commitment(
        id="reporting",
        sentence=Texts(
            "Customers are told of an event that concerns them within {minutes} minutes of "
            "its detection. Each enquiry gets a receipt at once and a history that only "
            "grows.",
            "お客さまに影響する事象は、検知から{minutes}分以内にお知らせします。お問い合わせ"
            "には直ちに受領書を発行し、経緯は追記だけができる形で残します。",
        ),
        parameters={"minutes": 60},
        scope="all services",
        owner="desk",
    ),
)
