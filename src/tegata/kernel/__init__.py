"""The vocabulary every room may use, and nothing that does something."""
