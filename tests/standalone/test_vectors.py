"""Other people's notes, checkpoints and cosignatures (tests/vectors/SOURCES.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tegata.standalone import verify

VECTORS: Final = Path(__file__).parents[1] / "vectors"
ENTRIES: Final = [
    "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven",
    "twelf", "threeten", "fourten", "fivten",
]  # fmt: skip
LEAVES: Final = [verify.leaf_hash(each.encode()) for each in ENTRIES]

# C2SP signed-note.md, and the documentation of golang.org/x/mod/sumdb/note.
SPECIFICATION: Final = (
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    (
        "This is an example message.\n"
        "\n"
        "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
        "OBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    ),
)
GO: Final = (
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvq"
        "fqdngotpRZb6KE6RyyBwJnAM=\n"
    ),
)


def tessera(size: int) -> verify.Checkpoint:
    octets = (VECTORS / "tessera" / f"checkpoint.{size}").read_bytes()
    return verify.open_checkpoint(octets, policy_of("tessera"), verify.Scope(), "a checkpoint")


def policy_of(folder: str) -> verify.Policy:
    key = verify.parse_vkey((VECTORS / folder / "vkey").read_text())
    return verify.Policy((key,), {}, {}, None)


@pytest.mark.parametrize("vector", [SPECIFICATION, GO], ids=["C2SP", "Go"])
def test_a_published_note_verifies_and_no_other_text_under_its_signature(
    vector: tuple[str, str],
) -> None:
    key, note = verify.parse_vkey(vector[0]), verify.parse_note(vector[1].encode())
    (signature,) = note.signatures
    assert (signature.name, signature.key_id) == (key.name, key.id)
    assert verify.is_signed(key.public, note.text, signature.blob)
    assert not verify.is_signed(key.public, note.text + b"\n", signature.blob)


def test_all_of_tesseras_checkpoints_are_signed_and_hash_from_its_entries() -> None:
    for size in range(16):
        assert tessera(size).root == verify.merkle(LEAVES[:size])


def test_the_published_hash_of_the_first_leaf_is_ours() -> None:
    published = "d0d7360ab79f58ab1e1e3fe64ad77e2ea0bc07e36b5f46ed2223edd9298df9e9"
    assert LEAVES[0].hex() == published


def test_every_inclusion_proof_of_tesseras_log_leads_to_its_signed_root() -> None:
    checked = 0
    for size in range(1, 16):
        for index in range(size):
            ranges = verify.inclusion_ranges(index, size)
            path = [verify.merkle(LEAVES[start:end]) for start, end in ranges]
            found = verify.root_from_inclusion(index, size, LEAVES[index], path)
            assert found == tessera(size).root
            checked += 1
    assert checked == 120


def test_every_consistency_proof_of_tesseras_log_verifies() -> None:
    checked = 0
    for new in range(16):
        for old in range(new):
            ranges = verify.consistency_ranges(old, new)
            path = [verify.merkle(LEAVES[start:end]) for start, end in ranges]
            verify.require_consistency(old, new, tessera(old).root, tessera(new).root, path)
            checked += 1
    assert checked == 120


def test_a_published_cosignature_verifies_with_its_time() -> None:
    key = verify.parse_vkey((VECTORS / "cosignature/vkey").read_text())
    checkpoint = verify.parse_checkpoint((VECTORS / "cosignature/checkpoint").read_bytes())
    (signature,) = checkpoint.note.signatures
    seconds = verify._require_signature(checkpoint, key, signature, "the mirror's checkpoint")
    assert seconds == int.from_bytes(signature.blob[:8], "big") > 1_700_000_000
    other = signature._replace(blob=(1).to_bytes(8, "big") + signature.blob[8:])
    with pytest.raises(verify.TamperedError) as raised:
        verify._require_signature(checkpoint, key, other, "the same with another time")
    assert raised.value.code == "cosignature.invalid"
