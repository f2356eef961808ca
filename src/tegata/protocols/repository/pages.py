"""What the repository's pages show of an issuer and of its documents."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Iterable

from markdown_it import MarkdownIt

from tegata.issuance.model import LinkKind, PolicyDocument
from tegata.issuance.outline import MARKDOWN
from tegata.issuance.repository import Published
from tegata.kernel.wording import translate
from tegata.pkix.certificate import encode_pem, parse_certificate, parse_tbs_certificate
from tegata.pkix.names import name_text, parse_name

_SHARDS_SHOWN = 1000
_NOTE = (
    "What stands here is signed or meant to be read by anybody; check fingerprints by another way "
    "before trusting a root."
)
TEXTS = (
    "Repository",
    "Issuer",
    "State",
    "Certificates",
    "Certificate",
    "Valid until",
    "Fingerprint (SHA-256)",
    "Certificate revocation lists",
    "Complete CRL",
    "Delta CRL",
    "Shard {number}",
    "Shards ({number})",
    "Policies and practice statements",
    "No document has been published.",
    "version {number}",
    "Chain above this issuer",
    "Certificates between its generations",
    "The new key, certified with the old one",
    "The old key, certified with the new one",
    "Status of certificates (OCSP)",
    "Published on {date}",
    "The document as it was written",
    "Back to the repository of {name}",
    _NOTE,
)
_LINKS = {
    LinkKind.NEW_WITH_OLD: "The new key, certified with the old one",
    LinkKind.OLD_WITH_NEW: "The old key, certified with the new one",
}
_STATES = {
    "active": "The issuer issues certificates.",
    "stopped": "Issuance is stopped.",
    "disabled": "The issuer does not issue for now.",
    "retired": "The issuer is retired; what it issued keeps its status.",
    "revoked": "The issuer's certificate is revoked.",
    "expired": "The issuer's certificate has expired.",
}
STATE_TEXTS = tuple(_STATES.values())
Say = Callable[..., str]
# HTML in a document stays text; links of kinds that could run are not made (its own rule), and
# pictures would have to be fetched.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def issuer_page(published: Published, language: str) -> str:
    """All that an issuer publishes, as HTML."""
    issuer, say = published.issuer, _say(language)
    parts = [
        f"<h1>{html.escape(issuer.name)}</h1><p class=kind>{say('Repository')}</p>",
        "<dl>",
        f"<dt>{say('State')}</dt><dd>{say(_STATES[published.state])}</dd>",
        _facts(issuer.certificate, say, "Issuer"),
        f"<dt>{say('Status of certificates (OCSP)')}</dt>",
        f"<dd><code>{html.escape(issuer.ocsp_url)}</code></dd>",
        f"</dl><p class=note>{say(_NOTE)}</p>",
        f"<h2>{say('Certificates')}</h2>",
        _list([(issuer.ca_issuers_url, f"{html.escape(issuer.name)} (DER)")]),
    ]
    if issuer.chain[1:]:
        parts.append(f"<h2>{say('Chain above this issuer')}</h2>")
        parts += [
            f"<dl>{_facts(der, say, 'Certificate')}</dl><details><summary>PEM</summary>"
            f"<pre>{encode_pem('CERTIFICATE', der)}</pre></details>"
            for der in issuer.chain[1:]
        ]
    if published.links:
        link = f"/repository/{issuer.id}/links"
        parts.append(f"<h2>{say('Certificates between its generations')}</h2>")
        parts.append(
            _list((f"{link}/{kind}.cer", say(_LINKS[kind])) for kind, _der in published.links)
        )
    parts += [f"<h2>{say('Certificate revocation lists')}</h2>", _lists(published, say)]
    parts += [f"<h2>{say('Policies and practice statements')}</h2>", _policies(published, say)]
    return "\n".join(parts)


def policy_page(document: PolicyDocument, issuer_name: str, language: str) -> str:
    """A version of a policy document, as HTML; its own words stay as they are."""
    say = _say(language)
    if document.media_type == MARKDOWN:
        text = _MARKDOWN.render(document.text)
    else:
        text = f"<pre>{html.escape(document.text)}</pre>"
    repository = f"/repository/{document.issuer}"
    version = say("version {number}", number=document.version)
    published = say("Published on {date}", date=f"{document.published_at:%Y-%m-%d}")
    links = [
        (f"{repository}/policies/{document.version}.md", say("The document as it was written")),
        (repository, say("Back to the repository of {name}", name=issuer_name)),
    ]
    return (
        f'<h1 lang="{document.language}">{html.escape(document.title)}</h1>'
        f"<p class=kind>{html.escape(issuer_name)} · {version} · {published}</p>"
        f'{_list(links)}<article lang="{document.language}">{text}</article>'
    )


def _say(language: str) -> Say:
    def say(text: str, **values: int | str) -> str:
        return html.escape(translate(text, language).format(**values))

    return say


def _facts(der: bytes, say: Say, label: str) -> str:
    tbs = parse_tbs_certificate(parse_certificate(der).tbs)
    digest = hashlib.sha256(der).hexdigest().upper()
    grouped = " ".join(digest[place : place + 4] for place in range(0, len(digest), 4))
    return (
        f"<dt>{say(label)}</dt><dd>{html.escape(name_text(parse_name(tbs.subject)))}</dd>"
        f"<dt>{say('Valid until')}</dt><dd>{tbs.not_after:%Y-%m-%d %H:%M:%S} UTC</dd>"
        f"<dt>{say('Fingerprint (SHA-256)')}</dt><dd><code>{grouped}</code></dd>"
    )


def _lists(published: Published, say: Say) -> str:
    url = published.issuer.crl_url
    base, complete = url.removesuffix(".crl"), say("Complete CRL")
    lists = _list([(url, complete), (f"{base}-delta.crl", f"{complete}: {say('Delta CRL')}")])
    numbers = [number for number in published.shards if number]
    shards = _list(
        (f"{base}/{number}.crl", say("Shard {number}", number=number))
        for number in numbers[:_SHARDS_SHOWN]
    )
    if not numbers:
        return lists
    summary = say("Shards ({number})", number=len(numbers))
    return f"{lists}<details><summary>{summary}</summary>{shards}</details>"


def _policies(published: Published, say: Say) -> str:
    if not published.policies:
        return f"<p>{say('No document has been published.')}</p>"
    link = f"/repository/{published.issuer.id}/policies"
    return _list(
        (
            f"{link}/{each.version}",
            (
                f"{html.escape(each.title)} ({say('version {number}', number=each.version)}, "
                f"{each.published_at:%Y-%m-%d}, {html.escape(each.language)})"
            ),
        )
        for each in published.policies
    )


def _list(links: Iterable[tuple[str, str]]) -> str:
    """A list of links; texts are escaped already, addresses are not."""
    items = "".join(f'<li><a href="{html.escape(url)}">{text}</a></li>' for url, text in links)
    return f"<ul class=links>{items}</ul>"
