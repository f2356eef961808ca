"""Time-stamping."""
