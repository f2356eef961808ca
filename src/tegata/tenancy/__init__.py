"""Opens, changes and closes the life of a tenant."""
