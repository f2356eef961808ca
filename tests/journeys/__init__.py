"""The journeys, through the real doors of a running server."""
