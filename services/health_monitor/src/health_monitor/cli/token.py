"""`health-monitor token new NAME`: a token for the API, and the entry that lets it in."""

import argparse
import sys

from health_monitor.cli.failure import OK, CommandFailed


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("token", help="make a token for the API")
    kinds = parser.add_subparsers(required=True, metavar="COMMAND")
    new = kinds.add_parser("new", help="print a new token, and the entry with its hash for HEALTH_MONITOR_WEB__TOKENS")
    new.add_argument("name", metavar="NAME", help="whose it is; shows in the access log")
    new.add_argument("--scope", choices=("read", "operate", "admin"), default="read")
    new.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from common.web.auth import Scope
    from common.web.static_tokens import StaticTokens, TokensInvalid, new_token

    token, entry = new_token(args.name, Scope(args.scope))
    try:
        StaticTokens.parse(entry)
    except TokensInvalid:
        raise CommandFailed(f"{args.name!r} is no name: leave out blanks, colons, commas and #") from None
    print(f"token {token}\nentry {entry}")
    print("Keep the token; give the entry to the service in HEALTH_MONITOR_WEB__TOKENS.", file=sys.stderr)
    return OK
