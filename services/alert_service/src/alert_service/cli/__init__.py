"""The commands, one file each: its arguments, and what it does. COMMANDS is the list."""

from alert_service.cli import backtest, policy, rehearse, serve, template
from common.cli.token import TokenCommand

COMMANDS = (serve, policy.COMMAND, template, rehearse, backtest, TokenCommand("ALERT_SERVICE_"))
