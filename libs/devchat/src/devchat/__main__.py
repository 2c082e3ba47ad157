"""`python -m devchat`: a chat to look at, until it is interrupted."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import msgspec

from devchat.addresses import addresses
from devchat.settings import Settings
from devchat.starting import listening


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        settings = _settings(asked)
    except msgspec.DecodeError as error:
        print(f"devchat: --settings: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(settings, asked.host, asked.port, until_input_ends=asked.until_input_ends))
    except OSError as error:
        print(f"devchat: cannot listen on {asked.host}:{asked.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "devchat",
        description="Slack and Teams as strict local stand-ins, with a page to look at and press buttons.",
        epilog="It prints the addresses and secrets to give the sender. See docs/notification-tests.md.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 127.0.0.1 unless given")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--interactivity-url", default="", help="where presses of buttons are posted to")
    parser.add_argument("--channels", default="", help="names, comma separated; sre,oncall,ops unless given")
    parser.add_argument("--no-limits", action="store_true", help="do not answer 429 by itself")
    parser.add_argument("--crawl", default="", help="links that begin like this are visited by previewers")
    parser.add_argument("--settings", default="{}", help="the rest, as JSON: token, signing_secret, users...")
    parser.add_argument("--until-input-ends", action="store_true", help=argparse.SUPPRESS)
    return parser


def _settings(asked: argparse.Namespace) -> Settings:
    given = msgspec.json.decode(asked.settings, type=dict)
    for name in ("interactivity_url", "crawl"):
        if value := getattr(asked, name):
            given[name] = value
    if asked.channels:
        given["channels"] = asked.channels.split(",")
    if asked.no_limits:
        given["limits"] = False
    return msgspec.convert(given, Settings)


async def _serve(settings: Settings, host: str, port: int, *, until_input_ends: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    if until_input_ends:
        loop.add_reader(0, lambda: _read(loop, stop))
    async with listening(settings, host, port) as state:
        print(f"devchat listens on {state.url}", flush=True)
        if not until_input_ends:
            print("\n".join(f"  {name:20} {value}" for name, value in addresses(state)), flush=True)
        await stop.wait()


def _read(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(0, 1024):
        loop.remove_reader(0)
        stop.set()


if __name__ == "__main__":
    sys.exit(main())
