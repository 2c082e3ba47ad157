"""`alert-service policy explain`: who would be told of an alert, by a file alone. Nothing has to run for it."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.failure import OK, CommandFailed
from common.cli.program import Commands

if TYPE_CHECKING:
    from alert_service.explaining.explain import Explanation
    from alert_service.explaining.foresight import Foresight
    from alert_service.policy import AlertPolicy
    from alert_service.routing.routing import Asked


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "explain",
        help="who would be told of an alert with these labels, when, and why",
        description="By the file alone, for an alert that fires by itself: silences, and what else is open, are known "
        "to the running service (POST /api/v1/explain).",
        epilog="Example: alert-service policy explain policy.yaml alertname=NodeNotReady severity=critical "
        "--at 2026-12-06T03:00:00+01:00",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("labels", type=_label, nargs="+", metavar="LABEL=VALUE", help="as Prometheus would give them")
    parser.add_argument(
        "--annotation", type=_label, action="append", default=[], metavar="NAME=VALUE", help="may be given again"
    )
    parser.add_argument("--at", type=_instant, metavar="INSTANT", help="when it fires; default: now")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from alert_service.explaining.foresight import imagined, what_if
    from alert_service.incidents.settle import Surroundings
    from alert_service.policy.file import PolicyFile
    from alert_service.routing.routing import Routes
    from common.policy.mistakes import PolicyError

    try:
        policy = PolicyFile.open(args.file).policy
    except PolicyError as error:
        raise CommandFailed("\n".join(f"{args.file}: {each}" for each in error.mistakes)) from None
    at = args.at or datetime.now(UTC)
    opened = imagined(dict(args.labels), dict(args.annotation), policy, at=at)
    found = what_if(opened, Surroundings(policy=policy, routes=Routes(policy)), at=at)
    print("\n".join(_lines(found, policy)))
    return OK


def _lines(found: "Foresight", policy: "AlertPolicy") -> Iterator[str]:
    why = found.explanation
    yield f"{why.title}, {why.severity}"
    yield why.summary
    yield from ("", "routes, as they are asked:")
    yield from (f"  {each.route or 'all':20} {_answer(each)}" for each in why.routing.path)
    if not why.routing.path:
        yield "  the policy has none"
    if why.escalation:
        yield from ("", f"escalation {why.routing.escalation}, while nobody acknowledges:")
        yield from _steps(why, policy)


def _answer(asked: "Asked") -> str:
    from alert_service.routing.routing import RouteReason

    return {
        RouteReason.TAKEN: "taken",
        RouteReason.LABELS: f"no: {asked.detail} does not match",
        RouteReason.SEVERITY: f"no: not for the severity {asked.detail}",
        RouteReason.HOURS: f"no: outside the hours {asked.detail}",
        RouteReason.NEVER: f"none: the severity {asked.detail} is told nobody",
        RouteReason.ANNOTATION: f"an annotation adds {asked.detail}",
        RouteReason.NO_CHANNEL: f"an annotation names {asked.detail}, of which the policy has none",
    }[asked.reason]


def _steps(why: "Explanation", policy: "AlertPolicy") -> Iterator[str]:
    for each in why.escalation:
        people = ", ".join(policy.called(each.people)) or "nobody by name"
        yield f"  {each.at:%Y-%m-%d %H:%M} UTC  step {each.step}: {people} on {', '.join(each.channels)}"


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text} is no label such as severity=critical")
    return name, value.strip('"')


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no instant such as 2026-12-06T03:00:00+01:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
