"""The client commands, where they can be tested without a platform."""
