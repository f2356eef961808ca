"""Signs certificates, and only those it has linted and reserved."""
