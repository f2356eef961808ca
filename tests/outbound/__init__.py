"""Tests of what calls the world."""
