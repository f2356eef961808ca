"""Other people's clients and verifiers, against a running platform."""
