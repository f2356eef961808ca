"""The one refusal: a code from a closed set, and a detail that a person can act on.

Each protocol owns a complete table from these codes to its wire errors; a test compares the
table with the enum, so that no code can fall through to a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from tegata.kernel.finding import Finding


class ProblemCode(StrEnum):
    """Every reason for which the platform refuses."""

    REQUEST_MALFORMED = "request.malformed"
    REQUEST_UNKNOWN_FIELD = "request.unknown-field"
    REQUEST_TOO_LARGE = "request.too-large"
    REQUEST_MEDIA_TYPE = "request.media-type"
    REQUEST_TIMEOUT = "request.timeout"
    ROUTE_UNKNOWN = "route.unknown"
    METHOD_NOT_ALLOWED = "method.not-allowed"
    AUTHENTICATION_REQUIRED = "authentication.required"
    AUTHENTICATION_FAILED = "authentication.failed"
    AUTHORIZATION_DENIED = "authorization.denied"
    TENANT_UNKNOWN = "tenant.unknown"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_EXISTS = "tenant.exists"
    TOKEN_UNKNOWN = "token.unknown"
    ISSUER_UNKNOWN = "issuer.unknown"
    ISSUER_EXISTS = "issuer.exists"
    ISSUER_INACTIVE = "issuer.inactive"
    ISSUER_CERTIFICATE_REFUSED = "issuer.certificate-refused"
    ISSUANCE_STOPPED = "issuance.stopped"
    TAKE_OVER_UNKNOWN = "take-over.unknown"
    TAKE_OVER_REFUSED = "take-over.refused"
    POLICY_UNKNOWN = "policy.unknown"
    POLICY_INCOMPLETE = "policy.incomplete"
    PROFILE_UNKNOWN = "profile.unknown"
    PROFILE_INVALID = "profile.invalid"
    PROFILE_BUILT_IN = "profile.built-in"
    CERTIFICATE_UNKNOWN = "certificate.unknown"
    CERTIFICATE_REVOKED = "certificate.already-revoked"
    CERTIFICATE_NOT_GOOD = "certificate.not-good"
    CERTIFICATE_SAME_KEY = "certificate.same-key"
    BULK_UNKNOWN = "bulk.unknown"
    BULK_FILE_REFUSED = "bulk.file-refused"
    BULK_ROW_REFUSED = "bulk.row-refused"
    BULK_DUPLICATE_ROW = "bulk.duplicate-row"
    CERTIFICATE_NOT_HELD = "certificate.not-held"
    REFUSED_KEY_UNKNOWN = "refused-key.unknown"
    REFUSED_KEY_FINAL = "refused-key.final"
    REASON_UNKNOWN = "revocation.reason-unknown"
    INVALIDITY_DATE = "revocation.invalidity-date"
    CSR_MALFORMED = "csr.malformed"
    CSR_BAD_SIGNATURE = "csr.bad-signature"
    CSR_WEAK_KEY = "csr.weak-key"
    CSR_COMPROMISED_KEY = "csr.compromised-key"
    CSR_UNSUPPORTED_KEY = "csr.unsupported-key"
    CSR_EXTENSION_REFUSED = "csr.extension-refused"
    CSR_NAME_REFUSED = "csr.name-refused"
    LINT_REFUSED = "lint.refused"
    SERIAL_NOT_RESERVED = "serial.not-reserved"
    KEY_PURPOSE_REFUSED = "key.purpose-refused"
    KEY_ALGORITHM_REFUSED = "key.algorithm-refused"
    KEY_NOT_AUTHORISED = "key.not-authorised"
    SERVER_KEY_REFUSED = "key.server-side-refused"
    TIMESTAMP_AUTHORITY_UNKNOWN = "timestamp.authority-unknown"
    TIMESTAMP_AUTHORITY_EXISTS = "timestamp.authority-exists"
    TIMESTAMP_AUTHORITY_DISABLED = "timestamp.authority-disabled"
    TIMESTAMP_UNIT_UNUSABLE = "timestamp.unit-unusable"
    TIMESTAMP_ALGORITHM_REFUSED = "timestamp.algorithm-refused"
    TIMESTAMP_IMPRINT_LENGTH = "timestamp.imprint-length"
    TIMESTAMP_POLICY_REFUSED = "timestamp.policy-refused"
    TIMESTAMP_EXTENSION_REFUSED = "timestamp.extension-refused"
    CLOCK_UNTRUSTED = "clock.untrusted"
    IDEMPOTENCY_MISMATCH = "idempotency.mismatch"
    IDEMPOTENCY_IN_PROGRESS = "idempotency.in-progress"
    CONFLICT = "conflict"
    SIGNER_UNAVAILABLE = "signer.unavailable"
    STORAGE_EXHAUSTED = "storage.exhausted"
    STORAGE_UNAVAILABLE = "storage.unavailable"
    OUTCOME_UNKNOWN = "outcome.unknown"
    SESSION_UNKNOWN = "session.unknown"
    SESSION_EXPIRED = "session.expired"
    SESSION_DECIDED = "session.already-decided"
    SESSION_REFUSED = "session.refused"
    SUBMISSION_MISMATCH = "submission.mismatch"
    PURPOSE_UNKNOWN = "purpose.unknown"
    PURPOSE_REFUSED = "purpose.refused"
    MY_NUMBER_REFUSED = "text.my-number"
    ATTRIBUTES_HANDED_OUT = "attributes.handed-out"
    ATTRIBUTES_NOT_ASKED = "attributes.not-asked"
    USER_UNKNOWN = "user.unknown"
    RECORD_UNKNOWN = "record.unknown"
    RECORD_REFUSED = "record.refused"
    CONSENT_UNKNOWN = "consent.unknown"
    CONSENT_REFUSED = "consent.refused"
    WATCH_UNKNOWN = "watch.unknown"
    WEBHOOK_REFUSED = "webhook.refused"
    WEBHOOK_UNAVAILABLE = "webhook.unavailable"
    GATEWAY_UNAVAILABLE = "gateway.unavailable"
    LOG_INCONSISTENT = "log.inconsistent"
    LOG_NOT_SEQUENCED = "log.not-sequenced"
    LOG_UNAVAILABLE = "log.unavailable"
    EVENT_UNKNOWN = "event.unknown"
    MAIL_UNAVAILABLE = "mail.unavailable"
    OVERLOADED = "overloaded"


class Problem(Exception):
    """A refusal. `detail` is safe to show to the caller and to write to a log."""

    def __init__(
        self, code: ProblemCode, detail: str = "", findings: Sequence[Finding] = ()
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail
        self.findings = tuple(findings)
