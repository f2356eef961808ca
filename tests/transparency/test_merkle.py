"""Merkle hashing and proofs: other people's roots, and every pair of small sizes."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tegata.transparency.merkle import (
    EMPTY_ROOT,
    ProofInvalid,
    fold,
    leaf_hash,
    node_hash,
    root_of,
    split,
    verify_consistency,
    verify_inclusion,
)
from tegata.transparency.tiles import (
    ENTRIES,
    TileId,
    TileReader,
    TreeEdge,
    consistency_path,
    edge_tiles,
    frame_entry,
    inclusion_path,
    parse_bundle,
    parse_tile_path,
    tile_path,
    width_at,
)
from tests.transparency import vectors


def entry(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return node_hash(naive_root(leaves[:middle]), naive_root(leaves[middle:]))


def grown(sizes: list[int]) -> tuple[TreeEdge, dict[TileId, bytes]]:
    """A tree that was appended to in steps, loaded again before each, and its tiles."""
    tiles: dict[TileId, bytes] = {}
    edge = TreeEdge(0, {})
    for size in sizes:
        edge = TreeEdge(edge.size, {each: tiles[each] for each in edge_tiles(edge.size)})
        tiles.update(edge.append([entry(each) for each in range(edge.size, size)]))
    return edge, tiles


def test_the_roots_of_tesseras_test_log_are_ours() -> None:
    entries = [each.encode() for each in vectors.TESSERA_ENTRIES]
    assert leaf_hash(entries[0]).hex() == vectors.TESSERA_LEAF_ONE
    for size, root in vectors.TESSERA_ROOTS.items():
        assert root_of(entries[:size]) == base64.b64decode(root)


def test_folding_is_what_the_rfc_says() -> None:
    leaves = [leaf_hash(entry(each)) for each in range(70)]
    assert all(fold(leaves[:size]) == naive_root(leaves[:size]) for size in range(71))


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert TreeEdge(0, {}).root() == EMPTY_ROOT == root_of([])


@pytest.mark.parametrize("sizes", [[1], [255, 256, 257], [300, 700], [65_536], [65_535, 65_537]])
def test_a_tree_grown_in_steps_has_the_root_of_all_its_leaves(sizes: list[int]) -> None:
    edge, _tiles = grown(sizes)
    assert edge.size == sizes[-1]
    assert edge.root() == root_of([entry(each) for each in range(sizes[-1])])


def test_every_leaf_of_small_trees_is_proved_and_no_other() -> None:
    for size in range(1, 40):
        edge, tiles = grown([size])
        reader, root = TileReader(tiles), edge.root()
        for index in range(size):
            path = inclusion_path(index, size, reader)
            verify_inclusion(index, size, leaf_hash(entry(index)), path, root)
            with pytest.raises(ProofInvalid):
                verify_inclusion(index, size, leaf_hash(entry(index + 1)), path, root)


def test_every_pair_of_small_sizes_is_consistent_and_no_forged_root_is() -> None:
    roots = {size: root_of([entry(each) for each in range(size)]) for size in range(41)}
    _edge, tiles = grown([40])
    for size in range(41):
        # A reader of a larger tree proves every smaller one: tiles only grow.
        for old in range(size + 1):
            path = consistency_path(old, size, TileReader(tiles))
            verify_consistency(old, roots[old], size, roots[size], path)
            if old:
                with pytest.raises(ProofInvalid):
                    verify_consistency(old, bytes(32), size, roots[size], path)
            if 0 < old < size:
                with pytest.raises(ProofInvalid):
                    verify_consistency(old, roots[old], size, bytes(32), path)
                with pytest.raises(ProofInvalid):
                    verify_consistency(old, roots[old], size, roots[size], path[:-1])


def test_proofs_over_tile_borders_hold() -> None:
    edge, tiles = grown([70_000])
    reader, root = TileReader(tiles), edge.root()
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        path = inclusion_path(index, 70_000, reader)
        verify_inclusion(index, 70_000, leaf_hash(entry(index)), path, root)
    for old in (1, 255, 256, 257, 65_536, 65_537, 69_999):
        old_root = root_of([entry(each) for each in range(old)])
        verify_consistency(old, old_root, 70_000, root, consistency_path(old, 70_000, reader))


def test_seventy_thousand_leaves_have_the_tiles_that_the_specification_says() -> None:
    _edge, tiles = grown([70_000])
    full = [tile for tile, octets in tiles.items() if tile.level == 0 and len(octets) == 8192]
    assert len(full) == 273
    assert {tile_path(each, width_at(each, 70_000)) for each in edge_tiles(70_000)} == {
        "tile/entries/273.p/112",
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    }
    assert all(
        len(tiles[each]) // 32 == width_at(each, 70_000) for each in tiles if each.level >= 0
    )


@pytest.mark.parametrize(
    ("tile", "width", "path"),
    [
        (TileId(0, 1_234_067), 256, "tile/0/x001/x234/067"),
        (TileId(63, 0), 1, "tile/63/000.p/1"),
        (TileId(ENTRIES, 999), 255, "tile/entries/999.p/255"),
        (TileId(1, 1000), 256, "tile/1/x001/000"),
    ],
)
def test_a_tiles_address_is_read_as_it_is_written(tile: TileId, width: int, path: str) -> None:
    assert tile_path(tile, width) == path
    assert parse_tile_path(path.removeprefix("tile/")) == (tile, width)


@pytest.mark.parametrize(
    "path",
    ["0/00", "0/0000", "0/x001/67", "0/x000/067", "0/000.p/0", "0/000.p/256", "0/000.p/01",
     "64/000", "00/000", "entries", "data/000", "0/001/067", "0/000/", "-1/000",
     "0/x001/x234/067.p",
     "0/" + "x001/" * 7 + "000", "0/\u0660\u0660\u0660"],
)  # fmt: skip
def test_another_address_is_no_tile(path: str) -> None:
    assert parse_tile_path(path) is None


def test_a_truncated_bundle_is_refused() -> None:
    bundle = frame_entry(entry(1)) + frame_entry(entry(2))
    assert parse_bundle(bundle) == [entry(1), entry(2)]
    for octets in (bundle[:-1], bundle[:33], b"\0\x1f" + bundle[2:]):
        with pytest.raises(ValueError, match="entry"):
            parse_bundle(octets)
