"""The command lines of the services: what they have in common."""
