"""The database of auto_healing's tests."""

from tests.support.healing_database import healing_database, healing_url

__all__ = ["healing_database", "healing_url"]
