"""Every problem as an HTTP problem (RFC 9457): its status and its title."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tegata.kernel.finding import Finding
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import translate
from tegata.protocols.http import Response

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class HttpProblem:
    """How a problem looks over HTTP. `title` is a key of the catalogue."""

    status: int
    title: str


TABLE = {
    ProblemCode.REQUEST_MALFORMED: HttpProblem(400, "The request is malformed"),
    ProblemCode.REQUEST_UNKNOWN_FIELD: HttpProblem(400, "The request has an unknown field"),
    ProblemCode.REQUEST_TOO_LARGE: HttpProblem(413, "The request is too large"),
    ProblemCode.REQUEST_MEDIA_TYPE: HttpProblem(415, "The content type is not supported"),
    ProblemCode.REQUEST_TIMEOUT: HttpProblem(408, "The request was not complete in time"),
    ProblemCode.ROUTE_UNKNOWN: HttpProblem(404, "There is nothing at this address"),
    ProblemCode.METHOD_NOT_ALLOWED: HttpProblem(405, "The method is not allowed here"),
    ProblemCode.AUTHENTICATION_REQUIRED: HttpProblem(401, "A token is required"),
    ProblemCode.AUTHENTICATION_FAILED: HttpProblem(401, "The token is not valid"),
    ProblemCode.AUTHORIZATION_DENIED: HttpProblem(403, "The token does not allow this"),
    ProblemCode.TENANT_UNKNOWN: HttpProblem(404, "There is no such tenant"),
    ProblemCode.TENANT_SUSPENDED: HttpProblem(403, "The tenant is suspended"),
    ProblemCode.TENANT_EXISTS: HttpProblem(409, "The tenant exists already"),
    ProblemCode.TOKEN_UNKNOWN: HttpProblem(404, "There is no such token"),
    ProblemCode.ISSUER_UNKNOWN: HttpProblem(404, "There is no such issuer"),
    ProblemCode.ISSUER_EXISTS: HttpProblem(409, "An issuer of this name exists already"),
    ProblemCode.ISSUER_INACTIVE: HttpProblem(409, "The issuer does not issue any more"),
    ProblemCode.ISSUER_CERTIFICATE_REFUSED: HttpProblem(
        422, "The certificate is not one for this issuer"
    ),
    ProblemCode.ISSUANCE_STOPPED: HttpProblem(409, "Issuance is stopped"),
    ProblemCode.TAKE_OVER_UNKNOWN: HttpProblem(404, "There is no such take-over"),
    ProblemCode.TAKE_OVER_REFUSED: HttpProblem(422, "The CA cannot be taken over like this"),
    ProblemCode.POLICY_INCOMPLETE: HttpProblem(422, "The policy document lacks sections"),
    ProblemCode.POLICY_UNKNOWN: HttpProblem(404, "There is no such policy document"),
    ProblemCode.PROFILE_UNKNOWN: HttpProblem(404, "There is no such certificate profile"),
    ProblemCode.PROFILE_INVALID: HttpProblem(422, "The profile document is not valid"),
    ProblemCode.PROFILE_BUILT_IN: HttpProblem(409, "The profile comes with the software"),
    ProblemCode.CERTIFICATE_UNKNOWN: HttpProblem(404, "There is no such certificate"),
    ProblemCode.CERTIFICATE_REVOKED: HttpProblem(409, "The certificate is revoked already"),
    ProblemCode.CERTIFICATE_NOT_GOOD: HttpProblem(409, "The certificate is not good any more"),
    ProblemCode.CERTIFICATE_SAME_KEY: HttpProblem(
        400, "The key is the one that the certificate has"
    ),
    ProblemCode.BULK_UNKNOWN: HttpProblem(404, "There is no such bulk file"),
    ProblemCode.BULK_FILE_REFUSED: HttpProblem(422, "The bulk file cannot be read"),
    ProblemCode.BULK_ROW_REFUSED: HttpProblem(422, "The row cannot be understood"),
    ProblemCode.BULK_DUPLICATE_ROW: HttpProblem(409, "The row asks for what another row asked for"),
    ProblemCode.CERTIFICATE_NOT_HELD: HttpProblem(409, "The certificate is not on hold"),
    ProblemCode.REFUSED_KEY_UNKNOWN: HttpProblem(404, "The key is not among the refused ones"),
    ProblemCode.REFUSED_KEY_FINAL: HttpProblem(409, "The key is refused for good"),
    ProblemCode.REASON_UNKNOWN: HttpProblem(400, "The revocation reason is not known"),
    ProblemCode.INVALIDITY_DATE: HttpProblem(400, "The invalidity date is not possible"),
    ProblemCode.CSR_MALFORMED: HttpProblem(400, "The certification request is malformed"),
    ProblemCode.CSR_BAD_SIGNATURE: HttpProblem(
        400, "The certification request is not signed with its own key"
    ),
    ProblemCode.CSR_WEAK_KEY: HttpProblem(400, "The key is too weak"),
    ProblemCode.CSR_COMPROMISED_KEY: HttpProblem(400, "The key is known to be compromised"),
    ProblemCode.CSR_UNSUPPORTED_KEY: HttpProblem(400, "The kind of key is not supported"),
    ProblemCode.CSR_EXTENSION_REFUSED: HttpProblem(
        400, "The certification request asks for an extension that is not allowed"
    ),
    ProblemCode.CSR_NAME_REFUSED: HttpProblem(
        400, "The certification request asks for a name that is not allowed"
    ),
    ProblemCode.LINT_REFUSED: HttpProblem(
        422, "The certificate would break the rules of its profile"
    ),
    ProblemCode.SERIAL_NOT_RESERVED: HttpProblem(500, "The serial number is not reserved"),
    ProblemCode.KEY_PURPOSE_REFUSED: HttpProblem(500, "The key may not sign this"),
    ProblemCode.KEY_ALGORITHM_REFUSED: HttpProblem(
        422, "The key cannot be of that algorithm, or cannot sign that way"
    ),
    ProblemCode.KEY_NOT_AUTHORISED: HttpProblem(
        403, "No operator has authorised the use of this key"
    ),
    ProblemCode.SERVER_KEY_REFUSED: HttpProblem(
        422, "The platform does not make the key for this certificate"
    ),
    ProblemCode.TIMESTAMP_AUTHORITY_UNKNOWN: HttpProblem(
        404, "There is no such time-stamping authority"
    ),
    ProblemCode.TIMESTAMP_AUTHORITY_EXISTS: HttpProblem(
        409, "A time-stamping authority of this name exists already"
    ),
    ProblemCode.TIMESTAMP_AUTHORITY_DISABLED: HttpProblem(
        409, "The time-stamping authority is disabled"
    ),
    ProblemCode.TIMESTAMP_UNIT_UNUSABLE: HttpProblem(
        409, "The time-stamping unit cannot be used any more"
    ),
    ProblemCode.TIMESTAMP_ALGORITHM_REFUSED: HttpProblem(
        422, "Digests of that algorithm are not time-stamped"
    ),
    ProblemCode.TIMESTAMP_IMPRINT_LENGTH: HttpProblem(
        422, "The digest is not as long as its algorithm says"
    ),
    ProblemCode.TIMESTAMP_POLICY_REFUSED: HttpProblem(
        422, "The time-stamping authority has no such policy"
    ),
    ProblemCode.TIMESTAMP_EXTENSION_REFUSED: HttpProblem(
        422, "The time-stamp request has an extension that is not known"
    ),
    ProblemCode.CLOCK_UNTRUSTED: HttpProblem(503, "The clock is not trusted now"),
    ProblemCode.IDEMPOTENCY_MISMATCH: HttpProblem(
        422, "The idempotency key was used for another request"
    ),
    ProblemCode.IDEMPOTENCY_IN_PROGRESS: HttpProblem(
        409, "The first request with this idempotency key is still under way"
    ),
    ProblemCode.CONFLICT: HttpProblem(409, "Another request changed the same thing"),
    ProblemCode.SIGNER_UNAVAILABLE: HttpProblem(503, "Signing is not possible now"),
    ProblemCode.STORAGE_EXHAUSTED: HttpProblem(503, "There is no space for new work now"),
    ProblemCode.EVENT_UNKNOWN: HttpProblem(404, "There is no such event"),
    ProblemCode.LOG_NOT_SEQUENCED: HttpProblem(409, "The log does not cover this event yet"),
    ProblemCode.LOG_INCONSISTENT: HttpProblem(500, "The log would not continue what was published"),
    ProblemCode.LOG_UNAVAILABLE: HttpProblem(503, "The log cannot be read now"),
    ProblemCode.STORAGE_UNAVAILABLE: HttpProblem(503, "The database cannot be used now"),
    ProblemCode.OUTCOME_UNKNOWN: HttpProblem(503, "Whether the request was carried out is unknown"),
    ProblemCode.SESSION_UNKNOWN: HttpProblem(404, "There is no such session"),
    ProblemCode.SESSION_EXPIRED: HttpProblem(409, "The session has expired"),
    ProblemCode.SESSION_DECIDED: HttpProblem(409, "The session is decided already"),
    ProblemCode.SESSION_REFUSED: HttpProblem(422, "A session cannot be opened with this"),
    ProblemCode.SUBMISSION_MISMATCH: HttpProblem(
        422, "The submission is not what the session asks for"
    ),
    ProblemCode.PURPOSE_UNKNOWN: HttpProblem(404, "There is no such purpose"),
    ProblemCode.PURPOSE_REFUSED: HttpProblem(422, "The purpose cannot be declared so"),
    ProblemCode.MY_NUMBER_REFUSED: HttpProblem(422, "The text contains a My Number"),
    ProblemCode.ATTRIBUTES_HANDED_OUT: HttpProblem(409, "The attributes were handed out already"),
    ProblemCode.ATTRIBUTES_NOT_ASKED: HttpProblem(
        403, "The declared purpose does not ask for attributes"
    ),
    ProblemCode.USER_UNKNOWN: HttpProblem(404, "There is no such user"),
    ProblemCode.RECORD_UNKNOWN: HttpProblem(404, "There is no such confirmation record"),
    ProblemCode.RECORD_REFUSED: HttpProblem(409, "The confirmation record does not allow this"),
    ProblemCode.CONSENT_UNKNOWN: HttpProblem(404, "There is no such consent"),
    ProblemCode.CONSENT_REFUSED: HttpProblem(409, "The consent does not allow this"),
    ProblemCode.WATCH_UNKNOWN: HttpProblem(404, "Nothing is watched"),
    ProblemCode.WEBHOOK_REFUSED: HttpProblem(422, "Nothing is sent to this address"),
    ProblemCode.WEBHOOK_UNAVAILABLE: HttpProblem(503, "The webhook was not taken"),
    ProblemCode.GATEWAY_UNAVAILABLE: HttpProblem(503, "J-LIS cannot be asked now"),
    ProblemCode.MAIL_UNAVAILABLE: HttpProblem(503, "Mail cannot be sent now"),
    ProblemCode.OVERLOADED: HttpProblem(503, "The service is too busy now"),
}
# Seconds after which trying again makes sense (RFC 9110 section 10.2.3).
RETRY_AFTER = {408: 1, 503: 5}


class FindingBody(msgspec.Struct, omit_defaults=True):
    """A finding of the lint, or about a document; the latter says where: `place`."""

    code: str
    severity: str
    cites: str
    message: str
    place: str = ""


class ProblemBody(msgspec.Struct, omit_defaults=True):
    """A problem (RFC 9457 section 3), with its stable code and the lint's findings."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    findings: list[FindingBody] = []


def finding_body(finding: Finding, language: str) -> FindingBody:
    """A finding as it is answered; one about a document in the language asked for."""
    message = finding.message
    if finding.key:
        message = translate(finding.key, language).format(**dict(finding.values))
    return FindingBody(finding.code, finding.severity, finding.cites, message, finding.place)


def problem_response(problem: Problem, language: str, base_url: str) -> Response:
    """A problem on the wire."""
    entry = TABLE[problem.code]
    body = ProblemBody(
        type=f"{base_url}/problems/{problem.code}",
        title=translate(entry.title, language),
        status=entry.status,
        code=problem.code,
        detail=problem.detail,
        findings=[finding_body(each, language) for each in problem.findings],
    )
    headers = {"content-language": language, "cache-control": "no-store"}
    if entry.status == 401:
        headers["www-authenticate"] = 'Bearer realm="tegata"'
    if entry.status in RETRY_AFTER:
        headers["retry-after"] = str(RETRY_AFTER[entry.status])
    return Response(entry.status, msgspec.json.encode(body), MEDIA_TYPE, headers)
