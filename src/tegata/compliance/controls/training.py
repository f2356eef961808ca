"""Section 3: awareness, education and training."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="3",
    name="training",
    title=Texts("Awareness, education and training", "教育と訓練"),
    numbers=Numbers("7.2.2", "6.3"),
    commitment=Commitment(
        id="training",
        sentence=Texts(
            "Nobody reaches customers' data, directly or as a contractor, without having "
            "completed the training for that kind of data within the last {months} months. "
            "When it lapses, access ends.",
            "お客さまのデータを扱えるのは、そのデータの取り扱いに関する教育を過去{months}か"
            "月以内に修了した者だけです。委託先も同じです。期限が切れれば、アクセスも止まりま"
            "す。",
        ),
        parameters={"months": 12},
        scope="staff and contractors",
        owner="people",
    ),
)
