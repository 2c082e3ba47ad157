"""Why people were told or not, and what would be."""
