"""The commands, one file each: its arguments, and what it does. COMMANDS is the list."""

from auto_healing.cli import policy, prove, serve
from common.cli.token import TokenCommand

COMMANDS = (serve, policy.COMMAND, prove, TokenCommand("AUTO_HEALING_"))
