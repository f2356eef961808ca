"""A certificate as a file: which form is asked for, and its octets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tegata.issuance.model import IssuedCertificate, Issuer
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.certificate import encode_pem
from tegata.pkix.cms import encode_certificates_only
from tegata.protocols.rest.operation import Download

JSON = "json"
Encode = Callable[[IssuedCertificate, Issuer], bytes]


@dataclass(frozen=True, slots=True)
class Form:
    """A form that a certificate is given in: its media type, and the ending of its file."""

    media_type: str
    ending: str
    encode: Encode


def _pem(certificate: IssuedCertificate, _issuer: Issuer) -> bytes:
    return encode_pem("CERTIFICATE", certificate.der).encode()


def _chain(certificate: IssuedCertificate, issuer: Issuer) -> bytes:
    """The certificate and what certifies it, without the root, which whoever verifies has
    (RFC 8446 section 4.4.2)."""
    path = (certificate.der, *issuer.chain[:-1])
    return "".join(encode_pem("CERTIFICATE", each) for each in path).encode()


def _pkcs7(certificate: IssuedCertificate, issuer: Issuer) -> bytes:
    return encode_certificates_only((certificate.der, *issuer.chain))


FORMS: Mapping[str, Form] = {
    "pem": Form("application/x-pem-file", "pem", _pem),
    # RFC 2585 section 4.1.
    "der": Form("application/pkix-cert", "cer", lambda certificate, _issuer: certificate.der),
    # RFC 8555 section 9.1.
    "chain": Form("application/pem-certificate-chain", "chain.pem", _chain),
    # RFC 8551 section 3.2.2.
    "pkcs7": Form("application/pkcs7-mime; smime-type=certs-only", "p7c", _pkcs7),
}
_BY_TYPE = {
    "application/json": JSON,
    **{form.media_type.partition(";")[0]: name for name, form in FORMS.items()},
}


def chosen_form(query: Mapping[str, str], accept: str) -> Form | None:
    """The form that a request wants, None for JSON. `format` goes before Accept."""
    name = query.get("format")
    if name is None:
        name = _accepted(accept)
    elif name != JSON and name not in FORMS:
        known = ", ".join((JSON, *FORMS))
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"format is one of {known}")
    return FORMS.get(name)


def download(form: Form, certificate: IssuedCertificate, issuer: Issuer) -> Download:
    """A certificate in a form."""
    name = f"{certificate.id}.{form.ending}"
    return Download(form.encode(certificate, issuer), form.media_type, name)


def _accepted(accept: str) -> str:
    """The known media type of the highest weight (RFC 9110 section 12.5.1); what is not known
    is disregarded, as that section allows, and JSON is the answer where nothing is."""
    best, weight = JSON, 0.0
    for wish in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in wish.split(";"))
        name = JSON if media_type in ("*/*", "application/*") else _BY_TYPE.get(media_type)
        given = _weight(parameters)
        if name is not None and given > weight:
            best, weight = name, given
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
