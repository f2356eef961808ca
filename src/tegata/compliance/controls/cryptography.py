"""Section 8: use of cryptography."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="8",
    name="cryptography",
    title=Texts("Use of cryptography", "暗号の利用"),
    numbers=Numbers("10.1.1", "8.24"),
    commitment=Commitment(
        id="cryptography",
        sentence=Texts(
            "All traffic of the service is encrypted. The only exceptions are the paths of "
            "one published table, each with the clause of the RFC that needs it, and what "
            "they carry is signed.",
            "サービスの通信はすべて暗号化します。例外は、公開している一覧表の経路だけです。例"
            "外ごとに根拠となる RFC の条項を示し、そこを流れる情報には署名を付けます。",
        ),
        parameters={},
        scope="all services",
        owner="security",
    ),
)
