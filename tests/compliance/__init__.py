"""Tests of promises and their evidence."""
