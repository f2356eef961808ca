"""Decides who may have which certificate."""
