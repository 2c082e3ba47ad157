"""`alert-service serve`: the service. Its settings are variables ALERT_SERVICE_*; arguments go before them."""

import argparse
from pathlib import Path

from common.cli.program import Commands
from common.cli.serve import announcer, port, serve_until_stopped, settings_under


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="take alerts and notices, tell people, and take their answers",
        description="Settings come from variables ALERT_SERVICE_* (docs/alerting-configuration.md); "
        "arguments go before them.",
    )
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on")
    parser.add_argument("--port", type=port, metavar="N", help="port to listen on; 0 takes a free one")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="channels, routes, escalations and people")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from alert_service import app
    from alert_service.settings import AlertSettings
    from common import logs

    given = {"web": {"host": args.host, "port": args.port}, "policy": {"file": args.policy}}
    settings = settings_under(AlertSettings, given)
    logs.configure(settings.log.level, json=settings.log.json_lines)
    return serve_until_stopped(lambda stop: app.run(settings, stop, announcer("alert-service", "/api/v1/incidents")))
