"""`auto-healing policy check FILE` and `policy schema`."""

import argparse
import json
import sys
from pathlib import Path

from common.cli.failure import NOT_GOOD, OK
from common.cli.program import Commands


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("policy", help="check a policy file, or print the schema of one")
    kinds = parser.add_subparsers(required=True, metavar="COMMAND")
    check = kinds.add_parser("check", help="say whether the file can be used; exit code 1 with every mistake if not")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=run_check)
    schema = kinds.add_parser("schema", help="print the JSON Schema, for editors and CI")
    schema.set_defaults(run=run_schema)


def run_check(args: argparse.Namespace) -> int:
    from auto_healing.policy.file import PolicyFile
    from common.policy.mistakes import PolicyError

    try:
        PolicyFile.open(args.file)
    except PolicyError as error:
        for mistake in error.mistakes:
            print(f"{args.file}: {mistake}", file=sys.stderr)
        return NOT_GOOD
    print(f"{args.file}: good")
    return OK


def run_schema(args: argparse.Namespace) -> int:
    from auto_healing.policy.schema import policy_json_schema

    print(json.dumps(policy_json_schema(), indent=2))
    return OK
