"""The database of health_monitor's tests."""

from tests.support.health_database import database, health_url

__all__ = ["database", "health_url"]
