"""Section 2: countries where data may be kept."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="2",
    name="countries",
    title=Texts("Countries where data may be kept", "データを保管する国"),
    numbers=Numbers("6.1.3", "5.5"),
    commitment=Commitment(
        id="countries",
        sentence=Texts(
            "Customers' data is kept in {countries} country, Japan. Public information of the "
            "PKI, such as certificates and revocation lists, may be fetched from anywhere.",
            "お客さまのデータを保管する国は、日本の{countries}か国だけです。証明書や失効リス"
            "トなどの公開情報は、どこからでも取得できます。",
        ),
        parameters={"countries": 1},
        scope="all services",
        owner="compliance",
    ),
)
