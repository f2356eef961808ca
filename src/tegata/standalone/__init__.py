"""Single files for customers' own machines: standard library only, nothing of ours imported."""
