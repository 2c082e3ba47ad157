"""Microsoft Teams behind a Workflows webhook."""
