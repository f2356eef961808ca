"""Section 11: backup."""

from __future__ import annotations

from tegata.compliance.model import Commitment, Control, Numbers, Texts

CONTROL = Control(
    section="11",
    name="backup",
    title=Texts("Backup", "バックアップ"),
    numbers=Numbers("12.3.1", "8.13"),
    commitment=Commitment(
        id="backup",
        sentence=Texts(
            "We keep {generations} generations of data backups, and count only those that "
            "have been restored and compared. A full backup is never older than {hours} "
            "hours. A system backup is made at least every {quarters} quarter and before each "
            "change, and kept for at least {months} months.",
            "データのバックアップは{generations}世代を保持します。数えるのは、実際に復元して"
            "内容を照合できた世代だけです。フルバックアップは常に{hours}時間以内のものを保ち"
            "ます。システムのバックアップは{quarters}四半期に1回以上、および変更のたびに取得"
            "し、{months}か月以上保管します。",
        ),
        parameters={"generations": 6, "hours": 26, "quarters": 1, "months": 3},
        scope="identity service; CA service as its terms say",
        owner="operations",
    ),
)
