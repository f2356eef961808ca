"""OpenSSL and pyHanko's path validator agree with what is decided here, on the same octets."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError

from tegata.identity.jlis import CertificateKind, LegalPurpose, StatusMethod
from tegata.identity.model import SignatureForm, Submission
from tegata.identity.reasons import Reason
from tegata.identity.rules.status import encode_status_request
from tegata.pkix.jpki import parse_jpki_certificate
from tests.components import require
from tests.conformance.running import attempt, run
from tests.identity.desk import AUTH, SIGN, Desk, forge

require("openssl", "gives a second opinion")

PURPOSE = LegalPurpose.SIGNATURE_VERIFICATION
# Good, revoked, on hold, of an earlier key under the same name, and of no key at all.
PEOPLE = [
    ("ordinary", SIGN, None), ("ordinary", AUTH, None), ("moved", SIGN, Reason.REVOKED_CHANGED),
    ("on-hold", AUTH, Reason.REVOKED_HELD), ("revoked", SIGN, Reason.REVOKED_KEY),
    ("died", AUTH, Reason.REVOKED_CEASED), ("expired", SIGN, Reason.EXPIRED),
    ("wrong-generation", SIGN, Reason.ISSUER_SIGNATURE), ("forged", AUTH, Reason.ISSUER_SIGNATURE),
]  # fmt: skip


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(("persona", "kind", "reason"), PEOPLE)
async def test_a_detached_cms_is_verified_as_openssl_does(
    desk: Desk, tmp_path: Path, persona: str, kind: CertificateKind, reason: Reason | None
) -> None:
    held, session = desk.held(persona, kind), desk.session(kind)
    signed = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(session.intent)
        .add_signer(held.certificate, held.key, hashes.SHA256())
        .sign(Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])
    )
    verdict = await desk.verdict(session, Submission(held.der, signed, SignatureForm.CMS))
    assert verdict.reason is reason
    (tmp_path / "cms").write_bytes(signed)
    (tmp_path / "content").write_bytes(session.intent)
    roots = [root.der for root in desk.sandbox.hierarchy.roots()]
    (tmp_path / "roots").write_bytes(b"".join(map(pem, roots)))
    at = int(desk.clock.now().timestamp())
    status, _text = attempt(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "cms",
        "-content", tmp_path / "content", "-CAfile", tmp_path / "roots", "-purpose", "any",
        "-attime", str(at), "-out", tmp_path / "out",
    )  # fmt: skip
    # OpenSSL was not asked about revocation.
    chain_holds = reason is None or reason.startswith("revoked.")
    assert (status == 0) is chain_holds


@pytest.mark.parametrize("trick", ["content", "digest", "certificate", "not detached"])
async def test_a_cms_with_something_wrong_is_refused(desk: Desk, trick: str) -> None:
    held, session = desk.held("ordinary"), desk.session()
    options = [pkcs7.PKCS7Options.Binary]
    if trick != "not detached":
        options.append(pkcs7.PKCS7Options.DetachedSignature)
    digest = hashes.SHA512() if trick == "digest" else hashes.SHA256()
    signed = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(b"something else" if trick == "content" else session.intent)
        .add_signer(held.certificate, held.key, digest)
        .sign(Encoding.DER, options)
    )
    certificate = held.der
    if trick == "certificate":
        root = desk.root()
        certificate = forge(root, root.key, held.key.public_key())
    reason = await desk.reason(session, Submission(certificate, signed, SignatureForm.CMS))
    assert reason is {
        "content": Reason.SIGNATURE_CONTENT, "digest": Reason.SIGNATURE_FORM,
        "certificate": Reason.SIGNATURE_KEY, "not detached": Reason.SIGNATURE_FORM,
    }[trick]  # fmt: skip


@pytest.mark.parametrize(("persona", "kind", "reason"), PEOPLE[:6])
async def test_openssl_reads_the_same_status_in_the_same_answer(
    desk: Desk, tmp_path: Path, persona: str, kind: CertificateKind, reason: Reason | None
) -> None:
    held = desk.held(persona, kind)
    trust = await desk.pinned.get()
    key = parse_jpki_certificate(held.der).issuer.key_identifier
    (authority,) = trust.find(key)
    request = encode_status_request(authority, held.serial, bytes(32))
    response = await desk.gateway.ask_ocsp(request, PURPOSE)
    (tmp_path / "request").write_bytes(request)
    (tmp_path / "response").write_bytes(response)
    (tmp_path / "issuer").write_bytes(pem(held.root.der))
    (tmp_path / "leaf").write_bytes(pem(held.der))
    # OpenSSL reads our request, and judges times by its own clock: those are another test's.
    text = run("openssl", "ocsp", "-reqin", tmp_path / "request", "-req_text", "-noverify")
    assert f"{held.serial:X}" in text.replace("0x", "")
    text = run(
        "openssl", "ocsp", "-respin", tmp_path / "response", "-issuer", tmp_path / "issuer",
        "-sha256", "-cert", tmp_path / "leaf", "-CAfile", tmp_path / "issuer", "-no_nonce",
        "-validity_period", str(10**9),
    )  # fmt: skip
    assert "Response verify OK" in text
    assert ("leaf: good" in text) is (reason is None)
    assert ("leaf: revoked" in text) is (reason is not None)


@pytest.mark.parametrize(("persona", "kind", "reason"), PEOPLE)
async def test_another_path_validator_comes_to_the_same_path_and_status(
    desk: Desk, persona: str, kind: CertificateKind, reason: Reason | None
) -> None:
    held, session = desk.held(persona, kind), desk.session(kind, method=StatusMethod.CRL)
    submission = Submission(held.der, held.sign(session.intent), SignatureForm.RAW)
    assert await desk.reason(session, submission) is reason
    certificate = parse_jpki_certificate(held.der)
    octets = await desk.gateway.fetch_crl(
        certificate.issuer.key_identifier, certificate.distribution_point, PURPOSE
    )
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(r.der) for r in desk.sandbox.hierarchy.roots()],
        crls=[asn1_crl.CertificateList.load(octets)],
        allow_fetching=False,
        moment=desk.clock.now(),
        revocation_mode="require",
    )
    validator = CertificateValidator(
        asn1_x509.Certificate.load(held.der), validation_context=context
    )
    usage = {"digital_signature", "non_repudiation"} if kind is SIGN else {"digital_signature"}
    try:
        await validator.async_validate_usage(key_usage=usage)  # type: ignore[no-untyped-call]
    except (PathValidationError, PathBuildingError):
        assert reason is not None
    else:
        assert reason is None
