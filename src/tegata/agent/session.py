"""A session of the service as the agent understands it, and what the person is shown of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tegata.agent.problems import CardCode, CardProblem
from tegata.pkix.intent import (
    Intent,
    IntentInvalid,
    IntentPurpose,
    document_digest,
    encode_intent,
)

_PURPOSES: Final = {"auth": IntentPurpose.AUTHENTICATE, "sign": IntentPurpose.SIGN}


@dataclass(frozen=True, slots=True)
class AskedSession:
    """What a service asks a person to sign. `text` is what it says of the document."""

    intent: Intent
    text: str
    document: bytes | None


def read_session(answer: Mapping[str, object], document: bytes | None) -> AskedSession:
    """Understand a session (`GET /v1/identity/sessions/{session}`).

    The intent is made here, of what the person is shown and of the document itself. `CardProblem`
    when the service asks for another one, or for nothing that this agent does.
    """
    if answer.get("state") != "open":
        raise CardProblem(CardCode.NOT_OPEN, str(answer.get("state")))
    if answer.get("binding") != "intent":
        raise CardProblem(CardCode.NOT_OURS)
    kind, text = str(answer.get("kind")), str(answer.get("text") or "")
    purpose = _PURPOSES.get(kind)
    if purpose is None:
        raise CardProblem(CardCode.NOT_OURS, kind)
    digest = None
    if purpose is IntentPurpose.SIGN:
        document = _document(str(answer.get("document") or ""), text, document)
        digest = document_digest(document)
    else:
        document = None
    try:
        intent = Intent(
            purpose=purpose,
            relying_party=str(answer.get("relying_party")),
            origin=str(answer.get("origin")),
            session=str(answer.get("id")),
            challenge=_octets(answer.get("challenge")),
            document=digest,
        )
    except IntentInvalid as error:
        raise CardProblem(CardCode.INTENT_DIFFERS, str(error)) from error
    if encode_intent(intent) != _octets(answer.get("intent")):
        raise CardProblem(CardCode.INTENT_DIFFERS)
    return AskedSession(intent, text, document)


def _document(digest: str, text: str, document: bytes | None) -> bytes:
    """The document to sign, by its digest: the one given, or the text that is shown."""
    if document is not None:
        if document_digest(document).hex() != digest:
            raise CardProblem(CardCode.DOCUMENT_DIFFERS)
        return document
    if document_digest(text.encode()).hex() == digest:
        return text.encode()
    raise CardProblem(CardCode.DOCUMENT_MISSING)


def _octets(value: object) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CardProblem(CardCode.INTENT_DIFFERS, "not base64") from error
