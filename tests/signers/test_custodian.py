"""What the signer makes and signs, by algorithm: with keys in memory and on a real journal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tegata.issuance.model import Issuer, ReservedSerial
from tegata.issuance.rules import CertificateTemplate, lint_draft, under_serial
from tegata.kernel.ids import BlockId, KeyId
from tegata.kernel.month import expiry_month
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import (
    SIGNATURE_ALGORITHMS,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    SigningKey,
)
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.crl import encode_tbs_cert_list
from tegata.pkix.extensions import key_identifier
from tegata.pkix.signatures import verify
from tegata.profiles.catalogue import ROOT_CA
from tegata.profiles.lint import RULE_SET
from tegata.profiles.model import IssuerFacts
from tegata.signers import messages
from tegata.signers.custodian import Custodian
from tegata.signers.keys import SoftwareBackEnd
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import FileSealingRoot, RecordSealer
from tegata.signers.tree_heads import TreeHeads
from tests.fakes.system import CountingRandomness, FakeClock
from tests.issuance.drafts import NOW, ROOT_NAME, a_draft, an_issuer

TENANT = "ten_tanuki"
PAIRS = [
    (algorithm, signature)
    for algorithm, signatures in SIGNATURE_ALGORITHMS.items()
    for signature in signatures[:: 3 if len(signatures) > 1 else 1]
]


@dataclass
class Signer:
    """A custodian, and what a caller does with it."""

    custodian: Custodian

    def create(
        self, algorithm: str, signature: str, purpose: str = KeyPurpose.ROOT_CA
    ) -> SigningKey:
        """Make a key as the signer process does."""
        request = messages.CreateKey(TENANT, purpose, algorithm, signature, ROOT_NAME)
        planned = self.custodian.may_create_key(request)
        made = self.custodian.adopt_key(planned, *self.custodian.make_key(planned))
        return SigningKey(
            KeyId(made.key),
            an_issuer("root").tenant,
            KeyPurpose.ROOT_CA,
            KeyAlgorithm(algorithm),
            SignatureAlgorithm(signature),
            made.public_key,
            made.sealed,
        )

    def sign_root(self, key: SigningKey, tbs_algorithm: SignatureAlgorithm) -> tuple[bytes, bytes]:
        """Ask for the key's own root certificate; what was signed, and the signature."""
        issuer = _issuer(key, tbs_algorithm)
        draft = replace(a_draft(ROOT_CA), public_key=key.public_key)
        month = expiry_month(draft.not_after)
        block = self.custodian.reserve(messages.Reserve(key.id, TENANT, month, 1, 1))
        template = CertificateTemplate(ROOT_CA, issuer, key.public_key)
        linted = lint_draft(draft, template, issuer)
        place = ReservedSerial(block, 0, block.serial(0), 1, issuer.crl_url)
        tbs = under_serial(linted, place, issuer.facts).tbs
        request = messages.SignCertificate(
            key.id, TENANT, tbs, BlockId(block.id), 0, "root-ca", RULE_SET,
            hashlib.sha256(tbs).digest(),
        )  # fmt: skip
        permission = self.custodian.may_sign_certificate(request)
        return tbs, permission.key.private.sign(permission.octets)


def _issuer(key: SigningKey, algorithm: SignatureAlgorithm) -> Issuer:
    facts = IssuerFacts(ROOT_NAME, key_identifier(key.public_key), None, algorithm)
    return replace(an_issuer("root"), key=key, facts=facts)


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    """A signer with keys in memory."""
    clock, randomness = FakeClock(NOW), CountingRandomness("custodian")
    sealer = RecordSealer(FileSealingRoot(bytes(32)), randomness)
    reservations = Reservations(tmp_path / "journal", clock, randomness, sealer)
    heads = TreeHeads(tmp_path / "heads")
    yield Signer(Custodian(SoftwareBackEnd(), sealer, reservations, clock, randomness, heads))
    reservations.close()


def refusal(signer: Signer, algorithm: str, signature: str, purpose: str = "root-ca") -> Problem:
    with pytest.raises(Problem) as refused:
        signer.create(algorithm, signature, purpose)
    return refused.value


@pytest.mark.parametrize(("algorithm", "signature"), PAIRS)
def test_a_key_signs_certificates_with_its_own_algorithm(
    signer: Signer, algorithm: KeyAlgorithm, signature: SignatureAlgorithm
) -> None:
    key = signer.create(algorithm, signature)
    tbs, made = signer.sign_root(key, signature)
    verify(key.public_key, signature, made, tbs)


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA_2048, KeyAlgorithm.ML_DSA_44])
def test_a_key_is_loaded_from_its_record_with_its_algorithm(
    signer: Signer, algorithm: KeyAlgorithm
) -> None:
    signature = SIGNATURE_ALGORITHMS[algorithm][-1]
    key = signer.create(algorithm, signature)
    signer.custodian.load_key(messages.LoadKey(key.id, key.sealed))
    tbs, made = signer.sign_root(key, signature)
    verify(key.public_key, signature, made, tbs)


@pytest.mark.parametrize(
    ("algorithm", "own", "named"),
    [
        ("p256", "ecdsa-sha256", "ecdsa-sha384"),
        ("rsa-2048", "rsa-pkcs1-sha256", "rsa-pss-sha256"),
        ("rsa-2048", "rsa-pss-sha512", "rsa-pss-sha256"),
        ("ml-dsa-44", "ml-dsa-44", "ml-dsa-65"),
    ],
)
def test_a_certificate_that_names_another_algorithm_is_not_signed(
    signer: Signer, algorithm: str, own: str, named: str
) -> None:
    key = signer.create(algorithm, own)
    with pytest.raises(Problem) as refused:
        signer.sign_root(key, SignatureAlgorithm(named))
    assert refused.value.code is ProblemCode.LINT_REFUSED
    assert [each.code for each in refused.value.findings] == ["signature.algorithm-not-allowed"]


def test_a_crl_that_names_another_algorithm_is_not_signed(signer: Signer) -> None:
    key = signer.create("rsa-2048", "rsa-pss-sha256")
    for algorithm, allowed in (("rsa-pss-sha256", True), ("rsa-pkcs1-sha256", False)):
        tbs = encode_tbs_cert_list(
            issuer=ROOT_NAME,
            this_update=NOW,
            next_update=NOW.replace(year=NOW.year + 1),
            entries=(),
            authority_key=key_identifier(key.public_key),
            number=1,
            signature_algorithm=SignatureAlgorithm(algorithm),
        )
        request = messages.SignCrl(key.id, TENANT, tbs)
        if allowed:
            assert signer.custodian.may_sign_crl(request).octets == tbs
            continue
        with pytest.raises(Problem, match="signature algorithm"):
            signer.custodian.may_sign_crl(request)


@pytest.mark.parametrize(
    ("algorithm", "signature"),
    [
        ("rsa-1024", "rsa-pkcs1-sha256"),
        ("secp256k1", "ecdsa-sha256"),
        ("p256", "ecdsa-sha1"),
        ("p256", "ecdsa-sha384"),
        ("p256", "rsa-pss-sha256"),
        ("ml-dsa-44", "ml-dsa-87"),
        ("", ""),
    ],
)
def test_an_algorithm_that_there_is_not_is_refused_in_words(
    signer: Signer, algorithm: str, signature: str
) -> None:
    problem = refusal(signer, algorithm, signature)
    assert problem.code is ProblemCode.KEY_ALGORITHM_REFUSED
    assert problem.detail


def test_a_purpose_that_there_is_not_is_refused(signer: Signer) -> None:
    problem = refusal(signer, "p256", "ecdsa-sha256", "anything")
    assert problem.code is ProblemCode.KEY_ALGORITHM_REFUSED


def test_what_the_key_store_does_not_do_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    class Poor(SoftwareBackEnd):
        name = "poor"

        def offers(self, algorithm: KeyAlgorithm, signature_algorithm: SignatureAlgorithm) -> bool:
            return algorithm is KeyAlgorithm.P256

    clock, randomness = FakeClock(NOW), CountingRandomness("custodian")
    sealer = RecordSealer(FileSealingRoot(bytes(32)), randomness)
    reservations = Reservations(tmp_path / "journal", clock, randomness, sealer)
    heads = TreeHeads(tmp_path / "heads")
    signer = Signer(Custodian(Poor(), sealer, reservations, clock, randomness, heads))
    assert signer.create("p256", "ecdsa-sha256").public_key
    problem = refusal(signer, "ml-dsa-65", "ml-dsa-65")
    assert problem.code is ProblemCode.KEY_ALGORITHM_REFUSED
    assert "poor" in problem.detail
    assert "ml-dsa-65" in problem.detail
    reservations.close()


def test_the_identifier_in_a_certificate_is_the_key_s_own(signer: Signer) -> None:
    key = signer.create("ed25519", "ed25519")
    tbs, _made = signer.sign_root(key, SignatureAlgorithm.ED25519)
    assert algorithm_identifier(SignatureAlgorithm.ED25519) in tbs
