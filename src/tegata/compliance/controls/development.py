"""Section 16: secure development."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="16",
    name="development",
    title=Texts("Secure development", "セキュリティに配慮した開発"),
    numbers=Numbers("14.2.1", "8.25"),
    commitment=Commitment(
        id="development",
        sentence=Texts(
            "Nothing is released without its checks. The running service is examined for "
            "vulnerabilities with each release and every {days} days, over at least "
            "{coverage} % of its interfaces.",
            "所定の検査を通らないものはリリースしません。稼働中のサービスに対するぜい弱性診断"
            "は、リリースのたびと{days}日ごとに、外部から使える機能の{coverage}％以上を対象"
            "に行います。",
        ),
        parameters={"days": 30, "coverage": 95},
        scope="all services",
        owner="development",
    ),
)
