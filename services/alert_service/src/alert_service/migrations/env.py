"""What Alembic runs before the scripts."""

from alert_service.storage.models import metadata
from common.database.migrate import run_environment

run_environment(metadata)
