"""The database and the cluster of auto_healing's tests."""

from tests.support.healing_database import healing_database, healing_url
from tests.support.healing_workloads import place

__all__ = ["healing_database", "healing_url", "place"]
