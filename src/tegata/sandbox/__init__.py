"""Stand-ins that real clients accept: a My Number card, J-LIS, and personas (ADR 23)."""
