"""A My Number Card as card software sees it (ADR 23): files, PINs, keys, status words."""
