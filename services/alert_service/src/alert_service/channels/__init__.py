"""The vendors' ways in, one file each."""
