"""The commands, one file each: its arguments, and what it does. COMMANDS is the list.

What a command needs is imported when it runs: a scan must not wait for the web framework and the database.
"""

from common.cli.token import TokenCommand
from health_monitor.cli import checks, policy, scan, serve

COMMANDS = (scan, serve, policy.COMMAND, checks, TokenCommand("HEALTH_MONITOR_"))
