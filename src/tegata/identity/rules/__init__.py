"""Pure decisions: values and an instant in, checks and verdicts out."""
