"""`auto-healing serve`: the service. Its settings are variables AUTO_HEALING_*; arguments go before them."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.failure import CommandFailed
from common.cli.program import Commands

if TYPE_CHECKING:
    from pydantic import BaseModel

    from auto_healing.settings import HealingSettings


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="take health events, decide, heal, and serve runs, plans and the ledger",
        description="Settings come from variables AUTO_HEALING_* (docs/configuration.md); arguments go before them.",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl finds it")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig; default: its current one")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on")
    parser.add_argument("--port", type=_port, metavar="N", help="port to listen on; 0 takes a free one")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="rules, guards and cleanup")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from auto_healing import app
    from common import logs
    from common.kube.errors import KubeError
    from common.policy.mistakes import PolicyError
    from common.settings import SettingsInvalid
    from common.web import serve
    from common.web.access import AccessMissing

    try:
        settings = settings_of(args)
    except SettingsInvalid as error:
        raise CommandFailed("\n".join(error.mistakes)) from None
    logs.configure(settings.log.level, json=settings.log.json_lines)

    async def main(stop: asyncio.Event) -> int:
        await app.run(settings, stop, announce)
        return 0

    try:
        return serve.run(main)
    except (KubeError, PolicyError, serve.CannotListen, AccessMissing) as error:
        raise CommandFailed(str(error)) from None


def settings_of(args: argparse.Namespace) -> "HealingSettings":
    """The environment's settings, under the arguments. Raises SettingsInvalid."""
    from auto_healing.settings import HealingSettings
    from common.settings import read

    settings = read(HealingSettings)
    given = {
        "cluster": {"kubeconfig": args.kubeconfig, "context": args.context},
        "web": {"host": args.host, "port": args.port},
        "policy": {"file": args.policy},
    }
    groups = {name: _changed(getattr(settings, name), changes) for name, changes in given.items()}
    return settings.model_copy(update=groups)


def _changed(group: "BaseModel", changes: dict[str, object]) -> "BaseModel":
    return group.model_copy(update={name: value for name, value in changes.items() if value is not None})


def announce(url: str, token: str | None) -> None:
    """Where it is, and how to ask it something."""
    print(f"auto-healing listens on {url}; {url}/readyz says what is missing", flush=True)
    if token is not None:
        print(f"No access is configured, so this run has a token of its own, for this machine only: {token}")
        print(f"  curl -H 'Authorization: Bearer {token}' {url}/api/v1/runs", flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port from 0 to 65535")
    return int(text)
