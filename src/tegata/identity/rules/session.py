"""What a session may ask for, and what may be submitted to it."""

from __future__ import annotations

from typing import Final

from tegata.identity.jlis import CertificateKind
from tegata.identity.model import Binding, NewSession, Session, SignatureForm, Submission
from tegata.identity.record import Fact
from tegata.identity.rules.my_number import has_my_number
from tegata.kernel.problem import Problem, ProblemCode

TEXT_MAXIMUM: Final = 4000


def require_session(asked: NewSession) -> None:
    """`Problem(session.refused)` for what no session may ask for; `Problem(text.my-number)` where
    a My Number stands in a field that identifies."""
    if asked.kind is CertificateKind.AUTH:
        # A log-in is bound to the session's own challenge, and to nothing else.
        if asked.binding is not Binding.INTENT:
            raise Problem(ProblemCode.SESSION_REFUSED, "a log-in signs the session's intent")
        if asked.document is not None:
            raise Problem(ProblemCode.SESSION_REFUSED, "a log-in signs no document")
    elif asked.binding is Binding.INTENT and asked.document is None:
        raise Problem(ProblemCode.SESSION_REFUSED, "give the document's SHA-256")
    elif asked.binding is not Binding.INTENT and asked.document is not None:
        raise Problem(ProblemCode.SESSION_REFUSED, "the document comes with the submission")
    names = [name for name, _value in asked.facts]
    if len(set(names)) != len(names) or not set(names) <= set(Fact):
        raise Problem(ProblemCode.SESSION_REFUSED, f"facts are {', '.join(Fact)}, once each")
    if any(len(text) > TEXT_MAXIMUM for text in (asked.text, *(v for _, v in asked.facts))):
        raise Problem(ProblemCode.SESSION_REFUSED, f"a text has at most {TEXT_MAXIMUM} characters")
    if has_my_number(asked.relying_party):
        raise Problem(ProblemCode.MY_NUMBER_REFUSED, "in relying_party")


def require_submission(session: Session, submission: Submission) -> None:
    """`Problem(submission.mismatch)` unless a submission has what its session's binding needs."""
    binding = session.asked.binding
    wanted = {
        Binding.INTENT: (False, False),
        Binding.DOCUMENT: (True, False),
        Binding.DIGEST: (False, True),
    }[binding]
    given = submission.document is not None, submission.digest is not None
    if given != wanted or (submission.structure is not None) != wanted[1]:
        raise Problem(ProblemCode.SUBMISSION_MISMATCH, f"the session's binding is {binding}")
    if binding is Binding.DIGEST and submission.form is not SignatureForm.RAW:
        raise Problem(ProblemCode.SUBMISSION_MISMATCH, "a signed message comes with its document")
