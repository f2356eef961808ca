"""Chains, CRLs and OCSP answers of every CA algorithm, judged by people who did not make them.

OpenSSL (3.0, without ML-DSA) and GnuTLS judge the classical ones; Go's ML-DSA judges the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tegata.pkix import oids
from tegata.pkix.der import encode_bit_string, encode_oid, encode_sequence
from tests.components import require
from tests.conformance.authorities import CLASSICAL, POST_QUANTUM, make_authorities
from tests.conformance.golang import build_verifier
from tests.conformance.running import (
    NAME,
    Issued,
    RefusedError,
    Running,
    attempt,
    ocsp_path,
    run,
    running,
    until,
)
from tests.pkix.keys import KINDS, private_key
from tests.pkix.requests import ML_DSA, request_der, request_info, request_pem

require("openssl", "verifies what we issue")


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The ids of a root and an issuing CA by the name of what they sign with."""
    folder = tmp_path_factory.mktemp("algorithms")
    made = make_authorities(folder / "data", *CLASSICAL, *POST_QUANTUM)
    return {**made, "": [str(folder)]}


@pytest.fixture(scope="module")
def platform(authorities: dict[str, list[str]]) -> Generator[Running]:
    """A platform that serves them."""
    with running(Path(authorities[""][0])) as started:
        yield started


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's ML-DSA."""
    return build_verifier(tmp_path_factory.mktemp("go"))


def issue(platform: Running, issuer: str, kind: str = "p256") -> Issued:
    return platform.issue(issuer=issuer, csr=request_of(kind))


def request_of(kind: str) -> str:
    """A request for a host name under a key of a kind."""
    key = private_key(kind)
    hashless = kind.startswith(("ed", "ml"))
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, None if hashless else hashes.SHA256())
    )
    return request.public_bytes(Encoding.PEM).decode()


def revoked_and_listed(platform: Running, issuer: str, folder: Path) -> tuple[Issued, Path]:
    """A revoked certificate, and a CRL (PEM) in which it stands."""
    revoked = issue(platform, issuer)
    platform.revoke(revoked, "superseded")  # not compromised: other tests use the same key

    def listing() -> x509.CertificateRevocationList | None:
        crl = platform.crl(issuer)
        return crl if crl.get_revoked_certificate_by_serial_number(revoked.serial) else None

    file = folder / "crl.pem"
    file.write_bytes(until(listing, 15, "the CRL").public_bytes(Encoding.PEM))
    return revoked, file


@pytest.mark.parametrize("name", CLASSICAL)
def test_openssl_verifies_a_chain_with_its_crls(
    platform: Running, authorities: dict[str, list[str]], name: str, tmp_path: Path
) -> None:
    root, issuing = authorities[name]
    good = issue(platform, issuing)
    revoked, crl = revoked_and_listed(platform, issuing, tmp_path)
    above = tmp_path / "root-crl.pem"
    above.write_bytes(platform.crl(root).public_bytes(Encoding.PEM))
    chain = ("-CAfile", good.root, "-untrusted", good.issuing, "-x509_strict")
    lists = ("-crl_check_all", "-CRLfile", crl, "-CRLfile", above)
    assert attempt("openssl", "verify", *chain, *lists, good.leaf) == (0, f"{good.leaf}: OK\n")
    code, text = attempt("openssl", "verify", *chain, *lists, revoked.leaf)
    assert code != 0
    assert "certificate revoked" in text
    assert "verify OK" in run("openssl", "crl", "-in", crl, "-verify", "-CAfile", good.issuing)


@pytest.mark.parametrize("name", CLASSICAL)
def test_openssl_verifies_the_answers_of_a_p256_responder(
    platform: Running, authorities: dict[str, list[str]], name: str
) -> None:
    issued = issue(platform, authorities[name][1])
    asked = ("-issuer", issued.issuing, "-cert", issued.leaf, "-CAfile", issued.root)
    chain = ("-verify_other", issued.issuing)
    text = run("openssl", "ocsp", *asked, *chain, "-url", platform.responder, "-resp_text")
    assert "Response verify OK" in text
    assert f"{issued.leaf}: good" in text
    answer = platform.ask(issued)
    assert answer.signature_algorithm_oid == x509.SignatureAlgorithmOID.ECDSA_WITH_SHA256
    responder = answer.certificates[0].public_key()
    assert isinstance(responder, ec.EllipticCurvePublicKey)
    assert isinstance(responder.curve, ec.SECP256R1)


@pytest.mark.parametrize("name", CLASSICAL)
def test_gnutls_verifies_a_chain_and_its_crl(
    platform: Running, authorities: dict[str, list[str]], name: str, tmp_path: Path
) -> None:
    require("gnutls", "verifies what we issue")
    issued = issue(platform, authorities[name][1])
    path = tmp_path / "path.pem"
    path.write_bytes(issued.leaf.read_bytes() + issued.issuing.read_bytes())
    trusted = ("--load-ca-certificate", issued.root, "--infile", path)
    code, text = attempt("certtool", "--verify", *trusted)
    assert (code, "Chain verification output: Verified" in text) == (0, True), text
    crl = tmp_path / "crl.pem"
    crl.write_bytes(platform.crl(authorities[name][1]).public_bytes(Encoding.PEM))
    listed = ("--load-ca-certificate", issued.issuing, "--infile", crl)
    assert "Verification output: Verified" in run("certtool", "--verify-crl", *listed)


@pytest.mark.parametrize("name", POST_QUANTUM)
@pytest.mark.parametrize("kind", ["p256", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"])
def test_go_verifies_a_post_quantum_chain(
    platform: Running, authorities: dict[str, list[str]], verifier: Path, name: str, kind: str
) -> None:
    issued = issue(platform, authorities[name][1], kind)
    assert "path OK" in run(verifier, "path", *ders(issued.root, issued.issuing, issued.leaf))


@pytest.mark.parametrize("name", POST_QUANTUM)
def test_go_refuses_a_post_quantum_certificate_with_one_bit_changed(
    platform: Running, authorities: dict[str, list[str]], verifier: Path, name: str
) -> None:
    issued = issue(platform, authorities[name][1])
    files = ders(issued.root, issued.issuing, issued.leaf)
    octets = bytearray(files[-1].read_bytes())
    octets[-100] ^= 1
    files[-1].write_bytes(octets)
    code, text = attempt(verifier, "path", *files)
    assert code != 0
    assert "refused" in text


@pytest.mark.parametrize("name", POST_QUANTUM)
def test_go_verifies_a_post_quantum_crl(
    platform: Running,
    authorities: dict[str, list[str]],
    verifier: Path,
    name: str,
    tmp_path: Path,
) -> None:
    issuing = authorities[name][1]
    revoked, _file = revoked_and_listed(platform, issuing, tmp_path)
    crl = tmp_path / "crl.der"
    crl.write_bytes(platform.crl(issuing).public_bytes(Encoding.DER))
    text = run(verifier, "crl", crl, *ders(revoked.issuing))
    assert f"revoked {revoked.serial}" in text


@pytest.mark.parametrize("name", POST_QUANTUM)
def test_go_verifies_the_answers_of_a_post_quantum_responder(
    platform: Running,
    authorities: dict[str, list[str]],
    verifier: Path,
    name: str,
    tmp_path: Path,
) -> None:
    issuing = authorities[name][1]
    good, (revoked, _crl) = (
        issue(platform, issuing),
        revoked_and_listed(platform, issuing, tmp_path),
    )
    for issued, status in ((good, "good"), (revoked, "revoked")):
        answer = tmp_path / "answer.der"
        answer.write_bytes(platform.get(f"{platform.responder}/{ocsp_path(issued)}"))
        text = run(verifier, "ocsp", answer, *ders(issued.issuing))
        assert f"OCSP OK, {status}" in text
        read = ocsp.load_der_ocsp_response(answer.read_bytes())
        assert read.signature_algorithm_oid._name.lower() == name


@pytest.mark.parametrize("kind", KINDS)
def test_a_subject_s_key_of_every_kind_is_certified_by_a_classical_ca(
    platform: Running, authorities: dict[str, list[str]], kind: str
) -> None:
    issued = issue(platform, authorities["p384"][1], kind)
    if kind in POST_QUANTUM:  # OpenSSL 3.0 wants to read the key before it looks at the signature
        path = issued.leaf.with_suffix(".path")
        path.write_bytes(issued.leaf.read_bytes() + issued.issuing.read_bytes())
        verified = run(
            "certtool", "--verify", "--load-ca-certificate", issued.root, "--infile", path
        )
        assert "Chain verification output: Verified" in verified
    else:
        chain = ("-CAfile", issued.root, "-untrusted", issued.issuing)
        assert attempt("openssl", "verify", *chain, issued.leaf)[0] == 0
    usage = issued.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.key_encipherment == kind.startswith("rsa")


@pytest.mark.parametrize("restricted", [False, True])
def test_a_key_for_rsassa_pss_is_certified_for_signing_only(
    platform: Running, authorities: dict[str, list[str]], tmp_path: Path, restricted: bool
) -> None:
    key, request = tmp_path / "key.pem", tmp_path / "request.pem"
    bound = ("md:sha256", "mgf1_md:sha256", "saltlen:32") if restricted else ()
    made = ("rsa_keygen_bits:2048", *(f"rsa_pss_keygen_{each}" for each in bound))
    options = [part for each in made for part in ("-pkeyopt", each)]
    run("openssl", "genpkey", "-algorithm", "RSA-PSS", *options, "-out", key)
    names = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    run("openssl", "req", "-new", "-key", key, *names, "-out", request)
    issued = platform.issue(issuer=authorities["rsa-2048"][1], csr=request.read_text())
    chain = ("-CAfile", issued.root, "-untrusted", issued.issuing, "-x509_strict")
    assert attempt("openssl", "verify", *chain, issued.leaf)[0] == 0
    text = run("openssl", "x509", "-in", issued.leaf, "-noout", "-text")
    assert "rsassaPss" in text
    assert "Key Encipherment" not in text


def short_post_quantum_key() -> str:
    key = encode_sequence(
        encode_sequence(encode_oid(oids.ML_DSA_65)), encode_bit_string(bytes(1951))
    )
    return request_pem(request_der("ml-dsa-65", request_info(key)))


@pytest.mark.parametrize(
    ("csr", "code"),
    [
        (lambda: request_of("rsa-1024"), "csr.weak-key"),
        (lambda: request_pem(request_der("secp256k1")), "csr.unsupported-key"),
        (short_post_quantum_key, "csr.unsupported-key"),
        (
            lambda: request_pem(request_der("ml-dsa-44", None, ML_DSA["ml-dsa-65"])),
            "csr.unsupported-key",
        ),
    ],
    ids=["RSA of 1024 bits", "another curve", "a short ML-DSA key", "another parameter set"],
)
def test_a_key_that_is_not_taken_is_refused_in_words(
    platform: Running, authorities: dict[str, list[str]], csr: Callable[[], str], code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        platform.issue(issuer=authorities["p256"][1], csr=csr())
    assert refused.value.code == code
    assert 400 <= refused.value.status < 500
    assert json.loads(refused.value.args[0].partition(": ")[2])["detail"]


@pytest.mark.parametrize(
    ("parameters", "maker"),
    [
        (44, mldsa.MLDSA44PrivateKey),
        (65, mldsa.MLDSA65PrivateKey),
        (87, mldsa.MLDSA87PrivateKey),
    ],
)
def test_go_and_openssl_agree_on_keys_and_signatures(
    verifier: Path,
    parameters: int,
    maker: type[mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey],
) -> None:
    seed = bytes(range(32))
    key = maker.from_seed_bytes(seed).public_key()
    public, signature = run(verifier, "sign", str(parameters), seed.hex(), b"message".hex()).split()
    assert key.public_bytes_raw().hex() == public
    key.verify(bytes.fromhex(signature), b"message")


def ders(*files: Path) -> list[Path]:
    """The same certificates as DER, beside them."""
    made = []
    for file in files:
        der = file.with_suffix(".der")
        der.write_bytes(
            x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER)
        )
        made.append(der)
    return made
