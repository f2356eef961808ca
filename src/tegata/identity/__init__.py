"""Identity verification: decides who a person is, how surely, and keeps as little as it can."""
