"""Notes, keys, cosignatures, proof files, policies and witness messages."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tegata.transparency.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    log_origin,
    parse_checkpoint,
)
from tegata.transparency.merkle import EMPTY_ROOT, ProofInvalid, leaf_hash
from tegata.transparency.note import (
    Note,
    NoteInvalid,
    Signature,
    SignatureType,
    VerifierKey,
    assemble,
    join,
    parse_note,
    parse_verifier_key,
    signed_octets,
    verifier_key,
    verify_signature,
)
from tegata.transparency.policy import (
    PolicyInvalid,
    PolicyUnmet,
    encode_policy,
    parse_policy,
)
from tegata.transparency.proof_file import ProofFile, ProofFileInvalid, parse_proof_file
from tegata.transparency.witnessing import (
    AddCheckpoint,
    RequestInvalid,
    WitnessLied,
    parse_add_checkpoint,
    parse_known_size,
    read_cosignatures,
)
from tests.transparency import vectors

# The note of C2SP's signed-note and the key of its example.
NOTE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
CHECKPOINT = Checkpoint("ca.example/log", 3, bytes(range(32)))
TIME = 1_800_000_000

Sign = Callable[[str], Signature]


def signer(name: str, kind: SignatureType) -> tuple[VerifierKey, Sign]:
    """A new key, and what signs a text with it."""
    private: ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey
    if kind is SignatureType.COSIGNATURE_ML_DSA_44:
        private = mldsa.MLDSA44PrivateKey.generate()
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = verifier_key(name, kind, public)
    time = TIME if kind.is_timed else 0
    return key, lambda text: assemble(key, private.sign(signed_octets(key, text, time)), time)


def test_the_key_of_the_specifications_example_is_read() -> None:
    assert parse_verifier_key(NOTE_KEY).text() == NOTE_KEY


def test_a_checkpoint_of_tesseras_verifies() -> None:
    proof = parse_proof_file(vectors.TESSERA_PROOF.encode())
    key = parse_verifier_key(vectors.TESSERA_KEY)
    assert len(proof.note.signed_by(key)) == 1
    assert (proof.index, proof.checkpoint.size) == (100_252, 100_270)
    assert proof.encode() == vectors.TESSERA_PROOF


def test_a_cosignature_of_sunlights_witness_verifies() -> None:
    note = parse_note(vectors.SUNLIGHT_COSIGNED.encode())
    key = parse_verifier_key(vectors.SUNLIGHT_WITNESS_KEY)
    (found,) = note.signed_by(key)
    assert found.time == 1_767_139_200
    changed = parse_note(vectors.SUNLIGHT_COSIGNED.replace("\n300\n", "\n301\n").encode())
    with pytest.raises(NoteInvalid, match="does not verify"):
        changed.signed_by(key)


def test_what_an_ml_dsa_cosignature_signs_is_what_the_specification_says() -> None:
    key = VerifierKey("w.example", SignatureType.COSIGNATURE_ML_DSA_44, bytes(1312))
    assert signed_octets(key, CHECKPOINT.text(), 5) == (
        b"subtree/v1\n\0\x09w.example"
        + bytes([0, 0, 0, 0, 0, 0, 0, 5])
        + b"\x0eca.example/log"
        + bytes(8)
        + bytes([0, 0, 0, 0, 0, 0, 0, 3])
        + bytes(range(32))
    )


@pytest.mark.parametrize("kind", SignatureType)
def test_a_note_signed_by_a_key_of_each_type_verifies(kind: SignatureType) -> None:
    key, sign = signer("ca.example/log", kind)
    text = CHECKPOINT.text()
    note = parse_note(join(text, [sign(text)]).encode().encode())
    assert note.text == text
    assert len(note.signed_by(parse_verifier_key(key.text()))) == 1


@pytest.mark.parametrize("kind", SignatureType)
def test_a_flipped_bit_anywhere_in_a_signature_is_refused(kind: SignatureType) -> None:
    key, sign = signer("ca.example/log", kind)
    signature = sign(CHECKPOINT.text())
    for place in range(0, len(signature.octets), 7):
        octets = bytearray(signature.octets)
        octets[place] ^= 1
        changed = Signature(signature.name, signature.key_id, bytes(octets))
        with pytest.raises(NoteInvalid):
            verify_signature(key, CHECKPOINT.text(), changed)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    known, sign = signer("ca.example/log", SignatureType.ED25519)
    other, sign_other = signer("ca.example/log", SignatureType.ED25519)
    text = CHECKPOINT.text()
    note = join(text, [sign_other(text), sign(text)])
    assert [each.key_id for each in note.signed_by(known)] == [known.id]
    assert other.id != known.id


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"text\n", b"text\n\n", b"text\n\n\xe2\x80\x94 name", b"text\n\n- name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n", b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n", b"te\rxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n", b"text\n\n\xe2\x80\x94 name AAAAAAB=\n",
        b"text\n\n" + b"\xe2\x80\x94 name AAAAAAA=\n" * 65, b"a" * (256 * 1024 + 1),
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused(octets: bytes) -> None:
    with pytest.raises(NoteInvalid):
        parse_note(octets)


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n1\n", "a\n1\nAAAA\n", "\n1\n{root}\n", "a\n01\n{root}\n", "a\n-1\n{root}\n",
        "a\n1\n{root}", "a\n1\n{root}\n\n", "a\n0\n{root}\n", f"a\n{2**63}\n{{root}}\n",
        "a\n1\n{root}=\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        parse_checkpoint(text.replace("{root}", base64.b64encode(bytes(32)).decode()))


def test_a_checkpoint_is_read_as_it_is_written() -> None:
    assert parse_checkpoint(CHECKPOINT.text()) == CHECKPOINT
    extended = Checkpoint("a", 1, bytes(32), ("more",))
    assert parse_checkpoint(extended.text()) == extended
    assert CHECKPOINT.short() == "3/0001020304050607"


def test_an_empty_log_has_a_checkpoint() -> None:
    assert parse_checkpoint(Checkpoint("a", 0, EMPTY_ROOT).text()).size == 0


def test_a_log_is_named_after_the_public_url() -> None:
    assert log_origin("http://127.0.0.1:8080") == "127.0.0.1:8080/log"
    assert log_origin("https://ca.example/base/") == "ca.example/base/log"
    for url in ("https://a+b.example", "https://a b.example", "https://" + "a" * 300):
        with pytest.raises(ValueError, match="cannot be"):
            log_origin(url)


def test_a_proof_file_proves_its_entry_and_no_other() -> None:
    proof = ProofFile(0, (), join(Checkpoint("a", 1, leaf_hash(b"x")).text(), []), b"\1\2")
    written = proof.encode() + "\u2014 a AAAAAAA=\n"
    read = parse_proof_file(written.encode())
    assert (read.index, read.path, read.extra) == (0, (), b"\1\2")
    read.require_entry(b"x")
    with pytest.raises(ProofInvalid):
        read.require_entry(b"y")


@pytest.mark.parametrize("change", [("@v1", "@v2"), ("index ", "indice "), ("100252", "0100252"),
                                    ("+4IF", "*4IF"), ("+4IF875T", "")])  # fmt: skip
def test_a_damaged_proof_file_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(ProofFileInvalid):
        parse_proof_file(vectors.TESSERA_PROOF.replace(*change).encode())


class PolicyWorld:
    """A log and three witnesses, and a policy about them."""

    def __init__(self) -> None:
        self.log, self.sign = signer("ca.example/log", SignatureType.ED25519)
        self.witnesses = [
            signer(f"w{number}.example", SignatureType.COSIGNATURE_ED25519) for number in range(3)
        ]

    def lines(self, *more: str) -> bytes:
        lines = ["# comment", f"\tlog {self.log.text()} https://ca.example/log"]
        lines += [f"witness w{n}  {key.text()}" for n, (key, _sign) in enumerate(self.witnesses)]
        return "\n".join([*lines, *more, ""]).encode()

    def note(self, *cosigners: int) -> Note:
        text = CHECKPOINT.text()
        return join(text, [self.sign(text), *(self.witnesses[n][1](text) for n in cosigners)])


def test_a_quorum_is_what_its_groups_say() -> None:
    world = PolicyWorld()
    policy = parse_policy(world.lines("group g 2 w0 w1", "group all all g w2", "quorum all"))
    policy.require(world.note(0, 1, 2))
    for cosigners in ((), (0, 1), (0, 2), (1, 2)):
        with pytest.raises(PolicyUnmet):
            policy.require(world.note(*cosigners))
    assert parse_policy(encode_policy(policy)) == policy


def test_a_policy_without_a_quorum_needs_the_log_alone() -> None:
    world = PolicyWorld()
    policy = parse_policy(world.lines("quorum none"))
    policy.require(world.note())
    text = CHECKPOINT.text()
    with pytest.raises(PolicyUnmet, match="no log"):
        policy.require(join(text, [world.witnesses[0][1](text)]))


@pytest.mark.parametrize(
    "more",
    [
        (), ("quorum g",), ("quorum none", "quorum none"), ("group none any w0", "quorum none"),
        ("group g 3 w0 w1", "quorum g"), ("group g 0 w0", "quorum g"), ("group g any", "quorum g"),
        ("group g any w0", "group h any w0", "quorum h"), ("group g any h", "quorum g"),
        ("group w0 any w1", "quorum w0"), ("frob x", "quorum none"), ("quorum none\r",),
        ("group g 01 w0", "quorum g"), ("quorum",),
    ],
)  # fmt: skip
def test_a_policy_that_is_not_one_is_refused(more: tuple[str, ...]) -> None:
    with pytest.raises(PolicyInvalid):
        parse_policy(PolicyWorld().lines(*more))


def test_a_key_stands_in_a_policy_once_and_for_what_it_does() -> None:
    world = PolicyWorld()
    witness = world.witnesses[0][0].text()
    for line in (f"log {world.log.text()}", f"witness x {witness}", f"log {witness}",
                 f"witness x {world.log.text()}"):  # fmt: skip
        with pytest.raises(PolicyInvalid):
            parse_policy(world.lines(line, "quorum none"))


def test_a_request_to_a_witness_is_read_as_it_is_written() -> None:
    world = PolicyWorld()
    request = AddCheckpoint(2, (bytes(32), bytes(range(32))), world.note())
    assert parse_add_checkpoint(request.encode()) == request


@pytest.mark.parametrize("change", [(b"old 2", b"old 02"), (b"old 2", b"2"), (b"AAAA\n", b"AAA\n"),
                                    (b"\n\n", b"\n")])  # fmt: skip
def test_a_damaged_request_is_refused(change: tuple[bytes, bytes]) -> None:
    request = AddCheckpoint(2, (bytes(33),), PolicyWorld().note()).encode()
    with pytest.raises((RequestInvalid, NoteInvalid)):
        parse_add_checkpoint(request.replace(*change))


def test_a_witness_that_lies_is_caught() -> None:
    world = PolicyWorld()
    (key, sign), text = world.witnesses[0], CHECKPOINT.text()
    good = sign(text).line().encode()
    assert len(read_cosignatures([key], text, good)) == 1
    other = sign(Checkpoint("ca.example/log", 4, bytes(32)).text()).line().encode()
    for lie in (b"", b"ok\n", other, world.witnesses[1][1](text).line().encode(), good + b"x\n"):
        with pytest.raises(WitnessLied):
            read_cosignatures([key], text, lie)
    assert parse_known_size(b"17\n") == 17
    for size in (b"17", b"-1\n", b"", b"017\n", b"9" * 30 + b"\n"):
        with pytest.raises(WitnessLied):
            parse_known_size(size)
