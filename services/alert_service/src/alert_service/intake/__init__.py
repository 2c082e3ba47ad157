"""What comes in, from the inbox to its effect."""
