"""`health-monitor checks`: what is looked for, with the thresholds that hold."""

import argparse
from pathlib import Path

from common.cli.failure import OK


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("checks", help="list what is looked for, with the thresholds that hold")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="thresholds, severities and weights")
    parser.add_argument("-n", "--namespace", default="", metavar="NAME", help="with the rules for this namespace")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from health_monitor.catalogue import RUNBOOK, catalogue
    from health_monitor.cli.policy import read_policy

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim")
    for column in ("Check", "Kind", "Severity"):
        table.add_column(column, no_wrap=True)
    table.add_column("What")
    table.add_column("Thresholds", style="dim")
    for entry in catalogue(read_policy(args.policy), runbook=RUNBOOK, namespace=args.namespace):
        severity = entry.severity.value if entry.enabled else "off"
        numbers = "\n".join(f"{each.name} {each.value}" for each in entry.thresholds)
        table.add_row(entry.code, entry.kind, severity, Text(entry.title), Text(numbers))
    Console().print(table)
    return OK
