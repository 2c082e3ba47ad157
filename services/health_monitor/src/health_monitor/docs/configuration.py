"""docs/configuration.md: every environment variable."""

from common.docs.settings import configuration
from health_monitor.settings import MonitorSettings

INTRODUCTION = """\
# Configuration

Everything is set by environment variables. What is looked for, how strictly and how much it counts is another matter
and stands in the policy file: see [What is looked for](checks.md#change-it).

A service with wrong settings does not start; it names every mistake at once. `__` separates a group from its settings.
"""


def configuration_document() -> str:
    return configuration(MonitorSettings, INTRODUCTION)
