"""`alert-service rehearse`: the notification tests, on the channels of a policy. Nothing has to run for it."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.cli.failure import NOT_GOOD, OK, CommandFailed
from common.cli.program import Commands
from common.cli.serve import settings_under

if TYPE_CHECKING:
    from alert_service.policy import AlertPolicy
    from alert_service.rehearsal.playing import Script
    from alert_service.rehearsal.report import Report
    from alert_service.settings import AlertSettings

_MOST_SECONDS = 600.0


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "rehearse",
        help="send every card to your channels, try what comes back, and tell what arrived when",
        description="Secrets come from variables ALERT_SERVICE_* as for serve; nothing else has to run. "
        "Exit code 1 when anything failed. See docs/notification-tests.md.",
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="channels, escalations and people")
    parser.add_argument("--channel", action="append", metavar="NAME", help="only this one; may be given again")
    parser.add_argument("--escalation", action="append", metavar="NAME", help="only this one; may be given again")
    parser.add_argument("--no-escalations", action="store_true", help="rehearse the cards alone")
    parser.add_argument(
        "--escalation-seconds", type=_seconds, default=20.0, metavar="N", help="how long each escalation takes"
    )
    parser.add_argument("--mention", action="store_true", help="really notify people by name")
    parser.add_argument("--json", action="store_true", help="print the report for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from alert_service.clicks.links import KeysInvalid
    from alert_service.policy.file import PolicyFile
    from alert_service.rehearsal.report import table
    from alert_service.settings import AlertSettings
    from common.policy.mistakes import PolicyError

    settings = settings_under(AlertSettings, {"policy": {"file": args.policy}})
    if settings.policy.file is None:
        raise CommandFailed("which channels? Name the policy: --policy FILE, or ALERT_SERVICE_POLICY__FILE")
    try:
        policy = PolicyFile.open(settings.policy.file).policy
    except PolicyError as error:
        raise CommandFailed("\n".join(f"{settings.policy.file}: {each}" for each in error.mistakes)) from None
    try:
        report = asyncio.run(_rehearse(settings, policy, _script(args, policy)))
    except KeysInvalid as error:
        raise CommandFailed(f"ALERT_SERVICE_LINKS__KEYS: {error}") from None
    print(json.dumps(report.to_json(), indent=2, default=str) if args.json else table(report))
    return OK if report.passed else NOT_GOOD


async def _rehearse(settings: "AlertSettings", policy: "AlertPolicy", script: "Script") -> "Report":
    from alert_service.rehearsal.making import a_rehearsal

    print(f"rehearsing on {', '.join(script.channels)}; this takes up to a minute", file=sys.stderr)
    async with a_rehearsal(settings, policy) as rehearsal:
        return await rehearsal.play(script)


def _script(args: argparse.Namespace, policy: "AlertPolicy") -> "Script":
    from alert_service.rehearsal.playing import Script

    escalations = [] if args.no_escalations else _chosen("escalation", args.escalation, list(policy.escalations))
    channels = _chosen("channel", args.channel, list(policy.channels))
    if not channels:
        raise CommandFailed("the policy has no channels: there is nothing to rehearse on")
    return Script(
        channels=channels,
        escalations=escalations,
        escalation_seconds=args.escalation_seconds,
        mention=args.mention,
    )


def _chosen(what: str, named: Sequence[str] | None, known: Sequence[str]) -> Sequence[str]:
    for name in named or ():
        if name not in known:
            raise CommandFailed(f"the policy has no {what} {name}; it has {', '.join(known) or 'none'}")
    return named or known


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is no time of more than 0 and at most {_MOST_SECONDS:g} seconds")
    return found
