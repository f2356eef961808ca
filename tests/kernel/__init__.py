"""The vocabulary: ids, events, months."""
