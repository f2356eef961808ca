"""The trust centre: the white paper as a public page."""
