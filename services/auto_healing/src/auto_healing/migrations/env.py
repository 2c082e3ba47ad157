"""What Alembic runs before the scripts."""

from auto_healing.storage.models import metadata
from common.database.migrate import run_environment

run_environment(metadata)
