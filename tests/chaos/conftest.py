"""The database of these tests."""

from tests.support.alert_database import alert_url
from tests.support.healing_database import healing_url
from tests.support.health_database import health_url

__all__ = ["alert_url", "healing_url", "health_url"]
