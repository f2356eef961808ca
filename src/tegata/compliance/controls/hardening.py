"""Section 7: hardening of virtual machines."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="7",
    name="hardening",
    title=Texts("Hardening of virtual machines", "仮想マシンの要塞化"),
    numbers=Numbers("CLD.9.5.2", None),
    commitment=Commitment(
        id="hardening",
        sentence=Texts(
            "A machine takes part in the service only with proof, at most {hours} hours old, "
            "that it runs our hardened image and nothing else listens on it.",
            "要塞化した所定のイメージで動き、余計な待ち受けがないことを過去{hours}時間以内に"
            "確かめた仮想マシンだけを、サービスに加えます。",
        ),
        parameters={"hours": 24},
        scope="all services",
        owner="operations",
    ),
)
