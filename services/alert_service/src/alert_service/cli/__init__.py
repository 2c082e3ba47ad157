"""The commands, one file each: its arguments, and what it does. COMMANDS is the list."""

from alert_service.cli import policy, rehearse, serve, template
from common.cli.token import TokenCommand

COMMANDS = (serve, policy.COMMAND, template, rehearse, TokenCommand("ALERT_SERVICE_"))
