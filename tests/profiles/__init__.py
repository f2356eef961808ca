"""What each rule finds, and what it does not."""
