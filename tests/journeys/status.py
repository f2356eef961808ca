"""A relying party: asks OCSP and reads CRLs, and checks who signed what."""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.journeys.platform import Answer, Door, Json

REQUEST = "application/ocsp-request"


def certificate_of(body: Json) -> x509.Certificate:
    """The certificate of an answer."""
    return x509.load_pem_x509_certificate(body["certificate"].encode())


def chain_of(body: Json) -> list[x509.Certificate]:
    """The path of an answer: the issuing CA first, the root last."""
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in body["chain"]]


def ocsp_request(body: Json, nonce: bytes | None = None) -> bytes:
    """The request for the status of a certificate."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate_of(body), chain_of(body)[0], hashes.SHA256()
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def post_ocsp(public: Door, octets: bytes) -> ocsp.OCSPResponse:
    """The response to a request in a body."""
    return parse_answer(public.call("POST", "/ocsp", octets, {"Content-Type": REQUEST}))


def get_ocsp(public: Door, octets: bytes) -> ocsp.OCSPResponse:
    """The response to a request in a path (RFC 6960 appendix A.1)."""
    text = base64.b64encode(octets).decode().replace("+", "%2B").replace("=", "%3D")
    return parse_answer(public.call("GET", f"/ocsp/{text.replace('/', '%2F')}"))


def parse_answer(answer: Answer) -> ocsp.OCSPResponse:
    """An OCSPResponse, from an answer that must hold one."""
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/ocsp-response"
    return ocsp.load_der_ocsp_response(answer.body)


def status_of(public: Door, body: Json) -> ocsp.OCSPResponse:
    """The status of a certificate, from a response whose signature leads to its issuer."""
    response = post_ocsp(public, ocsp_request(body))
    require_signed(response, chain_of(body)[0])
    return response


def require_signed(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> None:
    """The response is signed by a delegated responder of the issuer."""
    assert response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    responder = response.certificates[0]
    responder.verify_directly_issued_by(issuer)
    usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.OCSP_SIGNING in usage
    key = responder.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))


def crl_of(
    public: Door, issuer: str, authority: x509.Certificate
) -> x509.CertificateRevocationList:
    """An issuer's newest CRL, with its signature verified."""
    answer = public.get(f"/crl/{issuer}.crl")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/pkix-crl"
    crl = x509.load_der_x509_crl(answer.body)
    key = authority.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert crl.is_signature_valid(key)
    return crl


def crl_number(crl: x509.CertificateRevocationList) -> int:
    """A CRL's number."""
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def delta_base(public: Door, address: str) -> int:
    """The number of the list that a published delta starts from."""
    delta = x509.load_der_x509_crl(public.get(address.replace(".crl", "-delta.crl")).body)
    return delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number


def entry_of(crl: x509.CertificateRevocationList, body: Json) -> x509.RevokedCertificate | None:
    """The entry of a certificate, if it has one."""
    return crl.get_revoked_certificate_by_serial_number(int(body["serial"], 16))
