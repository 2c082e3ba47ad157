"""The commands, one file each: its arguments, and what it does. COMMANDS is the list.

What a command needs is imported when it runs: a scan must not wait for the web framework and the database.
"""

from health_monitor.cli import checks, policy, scan, serve, token

COMMANDS = (scan, serve, policy, checks, token)
