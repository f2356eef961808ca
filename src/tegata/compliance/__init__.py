"""Shows which promises hold now, and on what evidence."""
