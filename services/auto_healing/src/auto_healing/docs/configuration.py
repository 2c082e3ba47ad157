"""docs/healing-configuration.md: every environment variable."""

from auto_healing.settings import HealingSettings
from common.docs.settings import configuration

INTRODUCTION = """\
# Configuration of auto_healing

Everything about the process is set by environment variables. What may be healed, and how far that goes by itself, is
another matter and stands in the policy file: see [Policy](healing-policy.md).

The service with wrong settings does not start; it names every mistake at once. `__` separates a group from its
settings.
"""


def configuration_document() -> str:
    return configuration(HealingSettings, INTRODUCTION)
