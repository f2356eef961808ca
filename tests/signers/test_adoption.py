"""Keys that the signer did not make: adopted on an operator's word, and on nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import KeyPurpose, SignatureAlgorithm
from tegata.pkix.crl import encode_tbs_cert_list
from tegata.signers import messages
from tegata.signers.adoption import (
    Adoptions,
    Authorisation,
    parse_key_uri,
    sealed_context,
    write_authorisation,
)
from tegata.signers.custodian import Custodian
from tegata.signers.keys import KeyRecord, SoftwareBackEnd
from tegata.signers.reservations import Reservations
from tegata.signers.sealing import FileSealingRoot, RecordSealer
from tegata.signers.tree_heads import TreeHeads
from tests.fakes.system import CountingRandomness, FakeClock
from tests.issuance.drafts import NOW
from tests.pkix.keys import spki

TENANT, OTHER = "ten_tanuki", "ten_kitsune"
IDENTIFIER = bytes(range(20))
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Desk:
    """A signer with its folder of words."""

    custodian: Custodian
    folder: Path
    sealer: RecordSealer

    def authorise(
        self, key: Key, tenant: str = TENANT, days: int = 7, given: Key | None = None
    ) -> Path:
        """Write the word that a tenant may have a key; `given` is what is sealed with it."""
        digest = hashlib.sha256(spki(key)).hexdigest()
        octets = (given or key).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        sealed = self.sealer.seal(octets, sealed_context(tenant, digest))
        word = Authorisation(tenant, "issuing-ca", digest, NOW + timedelta(days=days))
        word.sealed = base64.b64encode(sealed).decode()
        return write_authorisation(self.folder, word)

    def adopt(
        self, key: Key, tenant: str = TENANT, purpose: str = KeyPurpose.ISSUING_CA, *,
        ca: bool = True,
    ) -> messages.KeyCreated:  # fmt: skip
        """Ask as the platform does."""
        request = messages.AdoptKey(tenant, purpose, a_certificate(key, ca=ca))
        return self.custodian.adopt_foreign(request)


def a_certificate(key: Key, *, ca: bool = True) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old CA")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW)
    builder = builder.add_extension(x509.BasicConstraints(ca, 3 if ca else None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier(IDENTIFIER), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock, randomness = FakeClock(NOW), CountingRandomness("adoption")
    sealer = RecordSealer(FileSealingRoot(bytes(32)), randomness)
    reservations = Reservations(tmp_path / "journal", clock, randomness, sealer)
    back_end, folder = SoftwareBackEnd(), tmp_path / "words"
    adoptions = Adoptions(folder, back_end, sealer, clock, randomness)
    heads = TreeHeads(tmp_path / "heads")
    custodian = Custodian(back_end, sealer, reservations, clock, randomness, heads, adoptions)
    yield Desk(custodian, folder, sealer)
    reservations.close()


def code_of(
    desk: Desk, key: Key, tenant: str = TENANT, purpose: str = KeyPurpose.ISSUING_CA
) -> tuple[ProblemCode, str]:
    with pytest.raises(Problem) as caught:
        desk.adopt(key, tenant, purpose)
    return caught.value.code, caught.value.detail


def test_an_authorised_key_is_sealed_with_what_decides_what_it_may_sign(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key)
    adopted = desk.adopt(key)
    plain = desk.sealer.unseal(adopted.sealed, f"signing-key|{adopted.key}")
    record = msgspec.msgpack.decode(plain, type=KeyRecord)
    assert (record.tenant, record.purpose, record.algorithm) == (TENANT, "issuing-ca", "p256")
    assert (record.public_key, record.key_identifier) == (spki(key), IDENTIFIER)
    assert record.bounds is not None
    assert record.bounds.path_length == 0
    assert adopted.signature_algorithm == "ecdsa-sha256"


def test_an_adopted_key_signs_its_own_lists_and_for_its_own_tenant_only(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key)
    adopted = desk.adopt(key)
    subject = x509.load_der_x509_certificate(a_certificate(key)).subject.public_bytes()
    tbs = encode_tbs_cert_list(
        issuer=subject, this_update=NOW, next_update=NOW + timedelta(days=1), entries=(),
        authority_key=IDENTIFIER, number=42, signature_algorithm=adopted_algorithm(adopted),
    )  # fmt: skip
    own = messages.SignCrl(adopted.key, TENANT, tbs)
    assert desk.custodian.may_sign_crl(own).octets == tbs
    with pytest.raises(Problem) as caught:
        desk.custodian.may_sign_crl(messages.SignCrl(adopted.key, OTHER, tbs))
    assert caught.value.code is ProblemCode.KEY_PURPOSE_REFUSED


def adopted_algorithm(adopted: messages.KeyCreated) -> SignatureAlgorithm:
    return SignatureAlgorithm(adopted.signature_algorithm)


def test_without_a_word_no_key_is_adopted(desk: Desk) -> None:
    assert code_of(desk, a_key())[0] is ProblemCode.KEY_NOT_AUTHORISED


def test_a_word_for_one_tenant_is_nothing_to_another(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key)
    refused = code_of(desk, key, tenant=OTHER)
    assert refused == code_of_unknown(refused)
    assert refused[0] is ProblemCode.KEY_NOT_AUTHORISED


def code_of_unknown(refused: tuple[ProblemCode, str]) -> tuple[ProblemCode, str]:
    """What is said of a key that nobody has authorised for anybody: the same."""
    digest = refused[1].split("key ")[1].split()[0]
    return (
        ProblemCode.KEY_NOT_AUTHORISED,
        f"no authorisation for the key {digest} (docs/how-to/take-over.md)",
    )


def test_a_key_is_adopted_as_what_the_word_says(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key)
    refused = code_of(desk, key, purpose=KeyPurpose.ROOT_CA)
    assert (refused[0], "authorised as issuing-ca" in refused[1]) == (
        ProblemCode.KEY_NOT_AUTHORISED, True,
    )  # fmt: skip


def test_a_word_ends_by_itself(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key, days=-1)
    assert code_of(desk, key)[0] is ProblemCode.KEY_NOT_AUTHORISED


def test_a_word_that_others_can_write_is_none(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key).chmod(0o620)
    refused = code_of(desk, key)
    assert (refused[0], "written by others" in refused[1]) == (
        ProblemCode.KEY_NOT_AUTHORISED, True,
    )  # fmt: skip


def test_a_word_for_another_tenant_cannot_be_rewritten_for_this_one(desk: Desk) -> None:
    key = a_key()
    path = desk.authorise(key, OTHER)
    path.write_bytes(path.read_bytes().replace(OTHER.encode(), TENANT.encode()))
    # The sealed key is bound to the tenant that the operator named.
    assert code_of(desk, key)[0] is ProblemCode.TAKE_OVER_REFUSED


def test_a_key_that_is_not_the_certificates_is_refused(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key, given=a_key())
    assert code_of(desk, key)[0] is ProblemCode.TAKE_OVER_REFUSED


@pytest.mark.parametrize("purpose", ["ocsp-responder", "no-such"])
def test_only_a_cas_key_is_adopted(desk: Desk, purpose: str) -> None:
    key = a_key()
    desk.authorise(key)
    assert code_of(desk, key, purpose=purpose)[0] is ProblemCode.TAKE_OVER_REFUSED
    with pytest.raises(Problem) as caught:
        desk.adopt(key, ca=False)
    assert caught.value.code is ProblemCode.TAKE_OVER_REFUSED


def test_a_weak_key_is_refused_whatever_the_word_says(desk: Desk) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    desk.authorise(weak)
    assert code_of(desk, weak)[0] is ProblemCode.CSR_WEAK_KEY
    odd = rsa.generate_private_key(65537, 2560)
    desk.authorise(odd)
    assert code_of(desk, odd)[0] is ProblemCode.KEY_ALGORITHM_REFUSED


def test_a_key_has_one_word(desk: Desk) -> None:
    key = a_key()
    desk.authorise(key)
    with pytest.raises(ValueError, match="authorised already"):
        desk.authorise(key, OTHER)


def test_a_software_signer_has_no_handles(desk: Desk) -> None:
    key = a_key()
    digest = hashlib.sha256(spki(key)).hexdigest()
    word = Authorisation(TENANT, "issuing-ca", digest, NOW + timedelta(days=1))
    word.key = "pkcs11:object=old-ca"
    write_authorisation(desk.folder, word)
    assert code_of(desk, key)[0] is ProblemCode.TAKE_OVER_REFUSED


def test_a_uri_names_token_label_and_id() -> None:
    assert parse_key_uri("pkcs11:token=t%20a;object=old-ca;id=%01%ff;type=private") == (
        b"t a", b"old-ca", b"\x01\xff",
    )  # fmt: skip
    assert parse_key_uri("pkcs11:id=%01?pin-source=/x") == (None, None, b"\x01")


@pytest.mark.parametrize(
    "uri",
    ["", "pkcs11:", "pkcs11:token=t", "pkcs11:object=", "http:object=x", "pkcs11:object=x;object=y",
     "pkcs11:object=x;type=public", "pkcs11:object=x;serial=1"],
)  # fmt: skip
def test_a_uri_that_names_no_key_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="PKCS #11"):
        parse_key_uri(uri)
