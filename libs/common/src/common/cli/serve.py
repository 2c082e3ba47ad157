"""What `serve` of every service does: settings under the arguments, one line for a bad start, and where it listens."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from common.cli.failure import CommandFailed

if TYPE_CHECKING:  # other commands must not wait for what only this one needs
    from pydantic import BaseModel

    from common.settings import Settings

S = TypeVar("S", bound="Settings")


def add_usual(parser: argparse.ArgumentParser, *, policy: str) -> None:
    """The arguments that every service has; `policy` says what is in the policy file."""
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl finds it")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig; default: its current one")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on")
    parser.add_argument("--port", type=port, metavar="N", help="port to listen on; 0 takes a free one")
    parser.add_argument("--policy", type=Path, metavar="FILE", help=policy)


def usual(args: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
    """What they gave, for the settings groups cluster, web and policy."""
    return {
        "cluster": {"kubeconfig": args.kubeconfig, "context": args.context},
        "web": {"host": args.host, "port": args.port},
        "policy": {"file": args.policy},
    }


def settings_under(kind: type[S], given: Mapping[str, Mapping[str, Any]]) -> S:
    """The environment's settings, with what the arguments gave by group and name; None was not given.

    Raises CommandFailed.
    """
    from common.settings import SettingsInvalid, read

    try:
        settings = read(kind)
    except SettingsInvalid as error:
        raise CommandFailed("\n".join(error.mistakes)) from None
    groups = {name: _changed(getattr(settings, name), changes) for name, changes in given.items()}
    return settings.model_copy(update=groups)


def serve_until_stopped(run: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """The exit code. What is wrong with the settings or the surroundings is a CommandFailed."""
    from common.kube.errors import KubeError
    from common.policy.mistakes import PolicyError
    from common.web import serve
    from common.web.access import AccessMissing

    async def main(stop: asyncio.Event) -> int:
        await run(stop)
        return 0

    try:
        return serve.run(main)
    except (KubeError, PolicyError, serve.CannotListen, AccessMissing) as error:
        raise CommandFailed(str(error)) from None


def announcer(program: str, path: str) -> Callable[[str, str | None], None]:
    """Says where it is, and how to ask it something."""

    def announce(url: str, token: str | None) -> None:
        print(f"{program} listens on {url}; {url}/readyz says what is missing", flush=True)
        if token is not None:
            print(f"No access is configured, so this run has a token of its own, for this machine only: {token}")
            print(f"  curl -H 'Authorization: Bearer {token}' {url}{path}", flush=True)

    return announce


def _changed(group: "BaseModel", changes: Mapping[str, Any]) -> "BaseModel":
    return group.model_copy(update={name: value for name, value in changes.items() if value is not None})


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port from 0 to 65535")
    return int(text)
