"""Knows, and can prove, whether a certificate is still good."""
