"""The REST API: shapes, and routes grouped by what they are about."""
