"""The schema that the migrations make is the one that the code expects."""

import pytest
from tests.support.alert_database import alert_target

from alert_service.storage.models import metadata
from common.database.migrate import differences

pytestmark = pytest.mark.database


def test_migrations_make_the_tables_of_the_models(alert_url: str) -> None:
    assert differences(alert_target(alert_url), metadata) == []
