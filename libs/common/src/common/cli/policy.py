"""`policy check FILE`, `policy schema`, and what a service adds to them."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.cli.failure import NOT_GOOD, OK
from common.cli.program import Command, Commands


@dataclass(frozen=True, slots=True)
class PolicyCommand:
    """Of one service: `opened` raises PolicyError for a bad file, `schema` makes the JSON Schema of a good one.

    `others` are commands of its own, such as `policy explain`; `what` tells all of them in the help.
    """

    opened: Callable[[Path], object]
    schema: Callable[[], Mapping[str, Any]]
    others: Sequence[Command] = ()
    what: str = "check a policy file, or print the schema of one"

    def add(self, commands: "Commands[argparse.ArgumentParser]") -> None:
        parser = commands.add_parser("policy", help=self.what)
        kinds = parser.add_subparsers(required=True, metavar="COMMAND")
        check = kinds.add_parser(
            "check", help="say whether the file can be used; exit code 1 with every mistake if not"
        )
        check.add_argument("file", type=Path, metavar="FILE")
        check.set_defaults(run=self.run_check)
        schema = kinds.add_parser("schema", help="print the JSON Schema, for editors and CI")
        schema.set_defaults(run=self.run_schema)
        for each in self.others:
            each.add(kinds)

    def run_check(self, args: argparse.Namespace) -> int:
        from common.policy.mistakes import PolicyError

        try:
            self.opened(args.file)
        except PolicyError as error:
            for mistake in error.mistakes:
                print(f"{args.file}: {mistake}", file=sys.stderr)
            return NOT_GOOD
        print(f"{args.file}: good")
        return OK

    def run_schema(self, args: argparse.Namespace) -> int:
        print(json.dumps(self.schema(), indent=2))
        return OK
