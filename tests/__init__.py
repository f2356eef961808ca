"""Tests, laid out as the rooms they test; how to run them is in the Makefile."""
