"""What goes wrong around a running platform, and what it must do then."""
