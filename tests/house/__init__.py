"""Tests of the house itself: budgets, tables and habits (ARCHITECTURE.md, sizes to watch)."""
