"""The Merkle log: its formats and its sequencer."""
