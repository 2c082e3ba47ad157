"""The database of these tests."""

from tests.support.health_database import health_url

__all__ = ["health_url"]
