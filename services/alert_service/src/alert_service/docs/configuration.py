"""docs/alerting-configuration.md: every environment variable."""

from alert_service.settings import AlertSettings
from common.docs.settings import configuration

INTRODUCTION = """\
# Configuration of alert_service

Everything about the process is set by environment variables. Who is told of what, and who may do what about it, is
another matter and stands in the policy file: see [Routing and escalation](alerting-policy.md).

The service with wrong settings does not start; it names every mistake at once. `__` separates a group from its
settings.
"""


def configuration_document() -> str:
    return configuration(AlertSettings, INTRODUCTION)
