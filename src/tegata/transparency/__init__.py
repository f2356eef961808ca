"""Transparency: proves that the record has only ever grown (RFC 6962, C2SP tlog formats)."""
