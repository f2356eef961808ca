"""What can be wrong with a profile document, said where and with what would mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tegata.kernel.finding import Finding, Severity
from tegata.kernel.problem import Problem, ProblemCode

_CITES = "docs/reference/profiles.md"

# Code -> text, which is a key of the catalogue. `place` goes before it.
MESSAGES: Mapping[str, str] = {
    "document.too-large": "The document has more than {maximum} octets. Make it smaller.",
    "document.syntax": "This is not TOML ({reason}). Correct it there.",
    "document.unknown-field": "There is no field of this name. Fields here: {known}.",
    "document.missing-field": "This field is missing. Add it: {example}.",
    "document.type": "This must be {expected}.",
    "document.value": "{value} is not allowed here. Use one of: {allowed}.",
    "document.number": "This must be a number from {low} to {high}.",
    "document.repeated": "{value} stands here twice. Remove one.",
    "document.too-many": "There are more than {maximum} entries. Remove some.",
    "document.name": "A name has 1 to 64 lower-case letters, digits and hyphens, a letter first.",
    "document.reserved-name": "{name} comes with the software. Choose another name.",
    "document.version": "The next version is {next}. Write that, or leave the version out.",
    "document.duration": "A duration is a number of days or hours, such as 90d or 12h.",
    "document.text": "This text is empty, too long, or has control characters.",
    "document.oid": (
        "{value} is no object identifier. Write it as numbers with dots: 1.3.6.1.4.1.99999.1."
    ),
    "document.uri": "This is no http or https address in ASCII.",
    "document.base": "{value} is no {kind} to stay within. Write {example}.",
    "document.der": "This is not the DER of exactly one value, in hexadecimal.",
    "document.one-of": "Give exactly one of: {fields}.",
    "document.reserved-extension": (
        "Extension {value} is not a profile's own to write. Use the table for it."
    ),
    "document.period-order": "maximum is shorter than period. Lengthen maximum or shorten period.",
    "document.period-and-end": "notAfter and period exclude each other. Keep one of them.",
    "document.no-key-usage": "keyUsage is empty. Say what the key may be used for.",
    "document.ca-key-usage": (
        "A CA certificate has keyCertSign, and at most cRLSign and digitalSignature beside it."
    ),
    "document.end-entity-key-usage": (
        "{value} is for CA certificates. Remove it, or set cA in basicConstraints."
    ),
    "document.ca-purposes": (
        "A CA certificate here has no extKeyUsage: it would bound what is below it. Remove {value}."
    ),
    "document.purpose-key-usage": (
        "Purpose {purpose} needs one of {usages} in keyUsage (RFC 5280 section 4.2.1.12)."
    ),
    "document.purpose-names": "Purpose {purpose} needs one of {kinds} in subjectAltName.",
    "document.time-stamping": "timeStamping stands alone and critical (RFC 3161 section 2.3).",
    "document.any-purpose": "anyExtendedKeyUsage allows everything. Name the purposes.",
    "document.ca-only": "{field} is for CA certificates. Remove it, or set cA in basicConstraints.",
    "document.any-policy": "anyPolicy is for CA certificates. Name a policy of your own.",
    "document.not-allowed-attribute": (
        "{value} is not among the allowed attributes. Add it to allowed."
    ),
    "document.nobody": (
        "Neither subject nor subjectAltName is demanded: certificates could name nobody."
    ),
    "document.name-counts": "minimum is greater than maximum.",
    "document.no-status": (
        "An end-entity certificate says where its status is: keep ocsp or cRLDistributionPoints."
    ),
    "document.rsa-bits": (
        "No RSA keys are allowed here. Remove rsaMinimumBits, or add rsa to algorithms."
    ),
    "document.usage-without-key": (
        "No key of this kind is allowed here. Remove it, or add the algorithm."
    ),
    "document.usage-of-no-key": (
        "Keys of {kinds} cannot have {usage}. Take them off algorithms, or say {usage} for the "
        "others in keyUsage.rsa or keyUsage.ec."
    ),
    "document.not-for-tenants": "Only profiles that come with the software may have {field}.",
    "document.beyond-bounds": "The platform's bound is {bound}. Stay within it.",
    "document.end-without-device": (
        "A certificate without end is for devices only: demand hardwareModuleName."
    ),
}


def finding(code: str, place: str, **values: str) -> Finding:
    """What is wrong at one place of a document."""
    key = MESSAGES[code]
    return Finding(
        code,
        Severity.ERROR,
        _CITES,
        key.format(**values),
        place,
        key,
        tuple(values.items()),
    )


def refuse(findings: Sequence[Finding]) -> None:
    """`Problem(profile.invalid)` with the findings, if there are any."""
    if findings:
        raise Problem(ProblemCode.PROFILE_INVALID, f"{len(findings)} to mend", findings)
