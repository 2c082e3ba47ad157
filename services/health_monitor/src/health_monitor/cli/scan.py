"""`health-monitor scan`: a report of the cluster as it is now. Needs no database and leaves nothing behind."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.failure import NOT_GOOD, OK, CommandFailed

if TYPE_CHECKING:
    from health_monitor.policy import Policy
    from health_monitor.scan.report import Report

_SHOWN = 20
# Whoever waits at a terminal wants to hear of a wrong address sooner than a service does.
_CONNECT_SECONDS = 5.0
_ATTEMPTS = 3


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "scan",
        help="report how healthy the current kubeconfig's cluster is",
        description="Reads the cluster once and reports. Exit code 1 when the score is below --fail-under.",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl finds it")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig; default: its current one")
    parser.add_argument("-n", "--namespace", default="", metavar="NAME", help="report and score this namespace only")
    parser.add_argument("-o", "--output", choices=("table", "json", "junit", "html"), default="table")
    parser.add_argument("--file", type=Path, metavar="FILE", help="write the report there, not to standard output")
    parser.add_argument("--fail-under", type=_score, metavar="SCORE", help="exit with 1 when the score is below")
    parser.add_argument(
        "--severity", choices=("info", "warning", "critical"), default="info", help="show findings at least this severe"
    )
    parser.add_argument(
        "--top", type=_amount, default=_SHOWN, metavar="N", help=f"lines of findings in a table; 0: all ({_SHOWN})"
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="thresholds, severities and weights")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from common import logs
    from health_monitor.cli.policy import read_policy

    logs.configure("error")  # what could not be seen is in the report
    policy = read_policy(args.policy)
    with _waiting():
        report = asyncio.run(_scan(args, policy))
    _write(report, args)
    return NOT_GOOD if report.failed else OK


async def _scan(args: argparse.Namespace, policy: "Policy") -> "Report":
    from common.clock import SystemClock
    from common.cluster.scan import scan_cluster
    from common.contracts import Severity
    from common.kube.connect import connect
    from common.kube.errors import KubeError
    from common.kube.settings import KubeSettings
    from health_monitor.scan.survey import NamespaceUnknown, Options, survey

    started = time.monotonic()
    clock = SystemClock()
    settings = KubeSettings(
        kubeconfig=args.kubeconfig, context=args.context, connect_timeout_seconds=_CONNECT_SECONDS, attempts=_ATTEMPTS
    )
    try:
        async with await connect(settings, clock) as api:
            store = await scan_cluster(api, clock=clock, namespace=args.namespace)
            options = Options(
                cluster=api.context,
                namespace=args.namespace,
                severity=Severity(args.severity),
                fail_under=args.fail_under,
                policy=policy,
            )
            return survey(store, options, clock.now(), time.monotonic() - started)
    except (KubeError, NamespaceUnknown) as error:
        raise CommandFailed(str(error)) from None


def _write(report: "Report", args: argparse.Namespace) -> None:
    if args.output == "table" and args.file is None:
        from rich.console import Console

        from health_monitor.scan import table

        width = None if sys.stdout.isatty() else table.FILE_WIDTH
        table.show(report, top=args.top, console=Console(width=width))
        return
    text = _rendering(args)(report)
    if args.file is None:
        sys.stdout.write(text)
        return
    try:
        args.file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot write {args.file}: {error.strerror}") from None


def _rendering(args: argparse.Namespace) -> "Callable[[Report], str]":
    from health_monitor.scan import document, junit, table

    match args.output:
        case "json":
            return document.render
        case "junit":
            return junit.render
        case "html":
            from health_monitor.scan import page

            return page.render
    return lambda report: table.render(report, top=args.top)


def _waiting() -> AbstractContextManager[object]:
    """Says on a terminal that something is going on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("Reading the cluster")


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = -1
    if not 0 <= score <= 100:
        raise argparse.ArgumentTypeError(f"{text} is no score from 0 to 100")
    return score


def _amount(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of lines")
    return int(text)
