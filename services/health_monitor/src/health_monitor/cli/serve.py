"""`health-monitor serve`: the service. Its settings are variables HEALTH_MONITOR_*; arguments go before them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.program import Commands
from common.cli.serve import add_addresses, announcer, serve_until_stopped, settings_under

if TYPE_CHECKING:
    from health_monitor.settings import MonitorSettings


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="watch the cluster, and serve scores, findings, events and metrics",
        description="Settings come from variables HEALTH_MONITOR_* (docs/configuration.md); arguments go before them.",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl finds it")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig; default: its current one")
    add_addresses(parser)
    parser.add_argument("--policy", type=Path, metavar="FILE", help="thresholds, severities and weights")
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

    given = {
        "cluster": {"kubeconfig": args.kubeconfig, "context": args.context},
        "web": {"host": args.host, "port": args.port},
        "policy": {"file": args.policy},
        "database": {"enabled": False if args.no_database else None},
    }
    return settings_under(MonitorSettings, given)
