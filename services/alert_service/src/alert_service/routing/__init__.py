"""Who is told, and what keeps people from being told."""
