"""`auto-healing serve`: the service. Its settings are variables AUTO_HEALING_*; arguments go before them."""

import argparse
from typing import TYPE_CHECKING

from common.cli.program import Commands
from common.cli.serve import add_usual, announcer, serve_until_stopped, settings_under, usual

if TYPE_CHECKING:
    from auto_healing.settings import HealingSettings


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="take health events, decide, heal, and serve runs, plans and the ledger",
        description="Settings come from variables AUTO_HEALING_* (docs/healing-configuration.md); "
        "arguments go before them.",
    )
    add_usual(parser, policy="rules, guards and cleanup")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from auto_healing import app
    from common import logs

    settings = settings_of(args)
    logs.configure(settings.log.level, json=settings.log.json_lines)
    return serve_until_stopped(lambda stop: app.run(settings, stop, announcer("auto-healing", "/api/v1/runs")))


def settings_of(args: argparse.Namespace) -> "HealingSettings":
    """The environment's settings, under the arguments. Raises CommandFailed."""
    from auto_healing.settings import HealingSettings

    return settings_under(HealingSettings, usual(args))
