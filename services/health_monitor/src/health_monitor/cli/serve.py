"""`health-monitor serve`: the service. Its settings are variables HEALTH_MONITOR_*; arguments go before them."""

import argparse
from typing import TYPE_CHECKING

from common.cli.program import Commands
from common.cli.serve import add_usual, announcer, serve_until_stopped, settings_under, usual

if TYPE_CHECKING:
    from health_monitor.settings import MonitorSettings


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="watch the cluster, and serve scores, findings, events and metrics",
        description="Settings come from variables HEALTH_MONITOR_* (docs/configuration.md); arguments go before them.",
    )
    add_usual(parser, policy="thresholds, severities and weights")
    parser.add_argument("--no-database", action="store_true", help="scores and metrics only: no events, no history")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from common import logs
    from health_monitor import app

    settings = settings_of(args)
    logs.configure(settings.log.level, json=settings.log.json_lines)
    return serve_until_stopped(lambda stop: app.run(settings, stop, announcer("health-monitor", "/api/v1/cluster")))


def settings_of(args: argparse.Namespace) -> "MonitorSettings":
    """The environment's settings, under the arguments. Raises CommandFailed."""
    from health_monitor.settings import MonitorSettings

    given = usual(args) | {"database": {"enabled": False if args.no_database else None}}
    return settings_under(MonitorSettings, given)
