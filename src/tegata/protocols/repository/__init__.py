"""The public repository of an issuer: its certificates, lists and policies (RFC 3647 section 2)."""
