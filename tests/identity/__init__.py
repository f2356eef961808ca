"""Identity verification: rules, verdicts, second opinions."""
