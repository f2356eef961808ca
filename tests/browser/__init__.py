"""Pages in Chromium, as people see them."""
