"""HTTP: the application factory and what every service answers in the same way."""
