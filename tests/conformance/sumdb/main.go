// Verifies a tiled log in a folder with the code by which the go command verifies sum.golang.org:
// its packages note and tlog are copied beside this file before it is built. Only the names of
// tiles and the form of the checkpoint (C2SP tlog-tiles, tlog-checkpoint) are ours.
//
//	sumdb VKEY FOLDER [OLDER-CHECKPOINT...]
//
// Every entry is hashed and proven to be in the signed tree, every tile is read and authenticated,
// and the tree is proven to continue each older checkpoint.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tegata.test/sumdb/note"
	"tegata.test/sumdb/tlog"
)

const height = 8

type folder string

func (f folder) Height() int                         { return height }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) path(tile tlog.Tile) string {
	// tile/8/0/x001/067.p/3 here is tile/0/x001/067.p/3 in a C2SP log.
	return filepath.Join(string(f), "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))
}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		octets, err := os.ReadFile(f.path(tile))
		if err != nil {
			return nil, err
		}
		found = append(found, octets)
	}
	return found, nil
}

func open(file string, key note.Verifier) (tlog.Tree, error) {
	octets, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(octets, note.VerifierList(key))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() || lines[3] != "" {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

func (f folder) entries(size int64) ([][]byte, error) {
	var found [][]byte
	for number := int64(0); number*256 < size; number++ {
		width := min(256, size-number*256)
		tile := tlog.Tile{H: height, L: 0, N: number, W: int(width)}
		name := strings.Replace(f.path(tile), "/tile/0/", "/tile/entries/", 1)
		octets, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for range width {
			if len(octets) < 2 || len(octets) < 2+int(binary.BigEndian.Uint16(octets)) {
				return nil, fmt.Errorf("%s is truncated", name)
			}
			end := 2 + int(binary.BigEndian.Uint16(octets))
			found, octets = append(found, octets[2:end]), octets[end:]
		}
		if len(octets) != 0 {
			return nil, fmt.Errorf("%s is too long", name)
		}
	}
	return found, nil
}

func verify(key note.Verifier, log folder, older []string) error {
	tree, err := open(filepath.Join(string(log), "checkpoint"), key)
	if err != nil {
		return err
	}
	entries, err := log.entries(tree.N)
	if err != nil {
		return err
	}
	// Authenticates every tile that it reads against the signed root.
	reader := tlog.TileHashReader(tree, log)
	var indexes []int64
	for n := int64(0); n < tlog.StoredHashCount(tree.N); n++ {
		indexes = append(indexes, n)
	}
	hashes, err := reader.ReadHashes(indexes)
	if err != nil {
		return err
	}
	stored := tlog.HashReaderFunc(func(wanted []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range wanted {
			found = append(found, hashes[index])
		}
		return found, nil
	})
	for index, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(index), stored)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	for _, name := range older {
		before, err := open(name, key)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, before.N, stored)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash); err != nil {
			return fmt.Errorf("not a continuation of %s: %w", name, err)
		}
	}
	fmt.Printf("OK %d entries, %d older\n", len(entries), len(older))
	return nil
}

// proof checks one .tlog-proof: sumdb VKEY proof FILE ENTRY-IN-HEX.
func proof(key note.Verifier, file string, entry string) error {
	octets, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, checkpoint, _ := bytes.Cut(octets, []byte("\n\n"))
	own := file + ".checkpoint"
	if err := os.WriteFile(own, checkpoint, 0o600); err != nil {
		return err
	}
	tree, err := open(own, key)
	if err != nil {
		return err
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return err
	}
	var path tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		path = append(path, hash)
	}
	var record []byte
	if _, err := fmt.Sscanf(entry, "%x", &record); err != nil {
		return err
	}
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(record)); err != nil {
		return err
	}
	fmt.Println("OK leaf", index)
	return nil
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("sumdb VKEY FOLDER [OLDER-CHECKPOINT...]")
	}
	key, err := note.NewVerifier(arguments[0])
	if err != nil {
		return err
	}
	if arguments[1] == "proof" && len(arguments) == 4 {
		return proof(key, arguments[2], arguments[3])
	}
	return verify(key, folder(arguments[1]), arguments[2:])
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}
