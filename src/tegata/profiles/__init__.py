"""What each kind of certificate must contain, and what does not: pure rules, one file a subject."""
