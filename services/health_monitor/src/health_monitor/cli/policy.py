"""`health-monitor policy check FILE` and `policy schema`."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.failure import NOT_GOOD, OK, CommandFailed

if TYPE_CHECKING:
    from health_monitor.policy import Policy


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("policy", help="check a policy file, or print the schema of one")
    kinds = parser.add_subparsers(required=True, metavar="COMMAND")
    check = kinds.add_parser("check", help="say whether the file can be used; exit code 1 with every mistake if not")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=run_check)
    schema = kinds.add_parser("schema", help="print the JSON Schema, for editors and CI")
    schema.set_defaults(run=run_schema)


def run_check(args: argparse.Namespace) -> int:
    from common.policy.mistakes import PolicyError
    from health_monitor.policy.file import PolicyFile

    try:
        PolicyFile.open(args.file)
    except PolicyError as error:
        for mistake in error.mistakes:
            print(f"{args.file}: {mistake}", file=sys.stderr)
        return NOT_GOOD
    print(f"{args.file}: good")
    return OK


def run_schema(args: argparse.Namespace) -> int:
    from health_monitor.policy.schema import policy_json_schema

    print(json.dumps(policy_json_schema(), indent=2))
    return OK


def read_policy(path: Path | None) -> "Policy":
    """The policy of a file, for other commands; the default one without a file."""
    from health_monitor.policy import DEFAULT_POLICY

    if path is None:
        return DEFAULT_POLICY
    from common.policy.mistakes import PolicyError
    from health_monitor.policy.file import PolicyFile

    try:
        return PolicyFile.open(path).policy
    except PolicyError as error:
        raise CommandFailed(f"{path}: {error}") from None
