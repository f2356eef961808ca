"""The Time-Stamp Protocol over HTTP (RFC 3161 section 3.4)."""
