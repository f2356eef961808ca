"""The Merkle log over HTTP (C2SP tlog-tiles)."""
