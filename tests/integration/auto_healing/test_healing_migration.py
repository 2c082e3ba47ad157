"""The schema that the migrations make is the one that the code expects."""

import pytest
from tests.support.healing_database import healing_target

from auto_healing.storage.models import metadata
from common.database.migrate import differences

pytestmark = pytest.mark.database


def test_migrations_make_the_tables_of_the_models(healing_url: str) -> None:
    assert differences(healing_target(healing_url), metadata) == []
