"""Which of several replicas acts, and how a deposed one is kept from it."""
