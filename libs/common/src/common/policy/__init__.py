"""What all policy files have in common: strict YAML, every mistake at once with its path, a schema, hot reload."""
