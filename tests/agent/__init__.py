"""Tests of the card agent."""
