"""The commands, one file each: its arguments, and what it does. COMMANDS is the list."""

from alert_service.cli import policy
from common.cli.token import TokenCommand

COMMANDS = (policy.COMMAND, TokenCommand("ALERT_SERVICE_"))
