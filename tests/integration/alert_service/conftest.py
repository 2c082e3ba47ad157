"""The database of alert_service's tests."""

from tests.support.alert_database import alert_database, alert_url

__all__ = ["alert_database", "alert_url"]
