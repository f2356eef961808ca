"""Section 1: where the provider's sites are."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="1",
    name="locations",
    title=Texts("Where the provider's sites are", "提供者の所在地と設備の場所"),
    numbers=Numbers("6.1.3", "5.5"),
    commitment=Commitment(
        id="locations",
        sentence=Texts(
            "The service runs only at the sites of our published register: our own centre in "
            "Japan and, for the CA service alone, the named regions of commercial clouds in "
            "Japan. Anything placed elsewhere is refused before a byte is written.",
            "サービスは、公開している設備一覧に載せた場所だけで動かします。対象は日本国内の自"
            "社センターと、認証局サービスに限って使う国内の商用クラウドの指定リージョンです。"
            "一覧にない場所への配置は、1バイトも書き込む前に拒みます。",
        ),
        parameters={},
        scope="all services",
        owner="compliance",
    ),
)
