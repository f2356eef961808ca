"""The outline of a CP or CPS: RFC 3647 section 6, sections and their first subsections.

A document says of each what it says, if only that nothing is stipulated (section 3.5 there); so
whoever compares two finds the same thing in the same place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt

from tegata.kernel.problem import Problem, ProblemCode

MARKDOWN = "text/markdown"
# "4.9 Revocation", "## 4.9. Revocation", "第4.9節 失効"; deeper subsections are the author's own.
_NUMBER = re.compile(r"(?:第\s*)?([1-9])(?:\.(\d{1,2}))?(?:\.(?!\d)|[章節\s:、)]|$)")
_OUTLINE = """
1|Introduction|はじめに
1.1|Overview|概要
1.2|Document name and identification|文書の名前と識別
1.3|PKI participants|PKIの関係者
1.4|Certificate usage|証明書の使用方法
1.5|Policy administration|ポリシー管理
1.6|Definitions and acronyms|定義と略語
2|Publication and repository responsibilities|公開とリポジトリの責任
2.1|Repositories|リポジトリ
2.2|Publication of certification information|証明情報の公開
2.3|Time or frequency of publication|公開の時期及び頻度
2.4|Access controls on repositories|リポジトリへのアクセス管理
3|Identification and authentication|識別と認証
3.1|Naming|名称
3.2|Initial identity validation|初回の本人性確認
3.3|Identification and authentication for re-key requests|鍵更新申請時の本人性確認と認証
3.4|Identification and authentication for revocation request|失効申請時の本人性確認と認証
4|Certificate life-cycle operational requirements|証明書のライフサイクルに対する運用上の要件
4.1|Certificate application|証明書の申請
4.2|Certificate application processing|証明書申請の手続
4.3|Certificate issuance|証明書の発行
4.4|Certificate acceptance|証明書の受領確認
4.5|Key pair and certificate usage|鍵ペアと証明書の用途
4.6|Certificate renewal|証明書の更新
4.7|Certificate re-key|証明書の鍵更新
4.8|Certificate modification|証明書の変更
4.9|Certificate revocation and suspension|証明書の失効と一時停止
4.10|Certificate status services|証明書のステータス確認サービス
4.11|End of subscription|登録の終了
4.12|Key escrow and recovery|鍵の預託と回復
5|Facility, management, and operational controls|設備上、運営上、運用上の管理
5.1|Physical controls|物理的管理
5.2|Procedural controls|手続的管理
5.3|Personnel controls|人事的管理
5.4|Audit logging procedures|監査ログの手続
5.5|Records archival|記録の保管
5.6|Key changeover|鍵の切替え
5.7|Compromise and disaster recovery|危殆化及び災害からの復旧
5.8|CA or RA termination|認証局又は登録局の終了
6|Technical security controls|技術的セキュリティ管理
6.1|Key pair generation and installation|鍵ペアの生成と導入
6.2|Private key protection and cryptographic module engineering controls|\
秘密鍵の保護及び暗号モジュールの技術的管理
6.3|Other aspects of key pair management|鍵ペア管理に関するその他の事項
6.4|Activation data|活性化データ
6.5|Computer security controls|コンピューターのセキュリティ管理
6.6|Life cycle technical controls|ライフサイクルに対する技術的管理
6.7|Network security controls|ネットワークのセキュリティ管理
6.8|Time-stamping|タイムスタンプ
7|Certificate, CRL, and OCSP profiles|証明書、CRL及びOCSPのプロファイル
7.1|Certificate profile|証明書のプロファイル
7.2|CRL profile|CRLのプロファイル
7.3|OCSP profile|OCSPのプロファイル
8|Compliance audit and other assessments|準拠性監査及びその他の評価
8.1|Frequency or circumstances of assessment|評価の頻度又は評価を行う場合
8.2|Identity and qualifications of assessor|評価者の身元と資格
8.3|Assessor's relationship to assessed entity|評価者と被評価者の関係
8.4|Topics covered by assessment|評価の対象となる事項
8.5|Actions taken as a result of deficiency|不備に対してとる措置
8.6|Communication of results|評価結果の伝達
9|Other business and legal matters|その他の業務上及び法的事項
9.1|Fees|料金
9.2|Financial responsibility|財務的責任
9.3|Confidentiality of business information|業務情報の機密性
9.4|Privacy of personal information|個人情報の保護
9.5|Intellectual property rights|知的財産権
9.6|Representations and warranties|表明と保証
9.7|Disclaimers of warranties|保証の否認
9.8|Limitations of liability|責任の制限
9.9|Indemnities|補償
9.10|Term and termination|有効期間と終了
9.11|Individual notices and communications with participants|関係者への個別の通知と連絡
9.12|Amendments|改訂
9.13|Dispute resolution provisions|紛争解決の手続
9.14|Governing law|準拠法
9.15|Compliance with applicable law|適用法の遵守
9.16|Miscellaneous provisions|雑則
9.17|Other provisions|その他の規定
"""
SECTIONS: tuple[tuple[str, str, str], ...] = tuple(
    (number, english, japanese)
    for number, english, japanese in (line.split("|") for line in _OUTLINE.split("\n") if line)
)
_NOTHING = {"en": "No stipulation.", "ja": "規定しない。"}


def outline(language: str) -> str:
    """The outline as a Markdown document to be filled in, in English or Japanese (ja)."""
    nothing = _NOTHING["ja" if language == "ja" else "en"]
    lines = []
    for number, english, japanese in SECTIONS:
        title = japanese if language == "ja" else english
        if "." in number:
            lines += [f"## {number} {title}", "", nothing, ""]
        else:
            lines += [f"# {number}. {title}", ""]
    return "\n".join(lines)


def require_outline(text: str, media_type: str) -> None:
    """`Problem(policy.incomplete)` with what is missing unless every section of the outline has
    its heading. Their words are the author's; full-width digits are digits."""
    headings = _markdown_headings(text) if media_type == MARKDOWN else text.split("\n")
    found = {number for heading in headings for number in _numbers(heading)}
    missing = [(number, title) for number, title, _ja in SECTIONS if number not in found]
    if missing:
        shown = "; ".join(f"{number} {title}" for number, title in missing)
        raise Problem(ProblemCode.POLICY_INCOMPLETE, f"no heading for: {shown}")


def _numbers(heading: str) -> Iterator[str]:
    match = _NUMBER.match(unicodedata.normalize("NFKC", heading).strip())
    if match is not None:
        section, part = match.groups()
        yield section if part is None else f"{section}.{int(part)}"


def _markdown_headings(text: str) -> Iterator[str]:
    """The texts of the headings (CommonMark 4.2, 4.3), not of what only looks like one."""
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            yield "".join(each.content for each in inline.children or ())
