"""`token new NAME`: a token for a service's API, and the entry that lets it in."""

import argparse
import sys
from dataclasses import dataclass

from common.cli.failure import OK, CommandFailed
from common.cli.program import Commands


@dataclass(frozen=True, slots=True)
class TokenCommand:
    """Of one service, whose settings have this prefix, such as HEALTH_MONITOR_."""

    prefix: str

    def add(self, commands: "Commands[argparse.ArgumentParser]") -> None:
        parser = commands.add_parser("token", help="make a token for the API")
        kinds = parser.add_subparsers(required=True, metavar="COMMAND")
        new = kinds.add_parser(
            "new", help=f"print a new token, and the entry with its hash for {self.prefix}WEB__TOKENS"
        )
        new.add_argument("name", metavar="NAME", help="whose it is; shows in the access log")
        new.add_argument(
            "--scope",
            metavar="SCOPE",
            type=_scopes,
            default="read",
            help="read, approve, operate, delegate or admin, or several joined by +; read unless given",
        )
        new.set_defaults(run=self.run)

    def run(self, args: argparse.Namespace) -> int:
        from common.web.auth import Scope
        from common.web.static_tokens import StaticTokens, TokensInvalid, new_token

        token, entry = new_token(args.name, *map(Scope, args.scope))
        try:
            StaticTokens.parse(entry)
        except TokensInvalid:
            raise CommandFailed(f"{args.name!r} is no name: leave out blanks, colons, commas and #") from None
        print(f"token {token}\nentry {entry}")
        print(f"Keep the token; give the entry to the service in {self.prefix}WEB__TOKENS.", file=sys.stderr)
        return OK


def _scopes(text: str) -> list[str]:
    from common.web.auth import Scope

    for each in (scopes := text.split("+")):
        if each not in set(Scope):
            raise argparse.ArgumentTypeError(f"{each!r} is none of {', '.join(Scope)}, nor several joined by +")
    return scopes
