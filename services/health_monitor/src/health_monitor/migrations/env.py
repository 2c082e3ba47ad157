"""What Alembic runs before the scripts."""

from common.database.migrate import run_environment
from health_monitor.storage.models import metadata

run_environment(metadata)
