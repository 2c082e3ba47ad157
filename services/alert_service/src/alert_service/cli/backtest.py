"""`alert-service backtest`: how often a rule would have fired, before anybody is woken by it."""

import argparse
import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cli.failure import OK, CommandFailed
from common.cli.program import Commands
from common.cli.serve import settings_under

if TYPE_CHECKING:
    from alert_service.backtest import History, Rule, Verdict
    from alert_service.clients.prometheus import Prometheus
    from common.hours import Hours

_OTHERS = 'ALERTS{alertstate="firing"}'
_MOST_SHOWN = 10
_LOOKS = 1000  # at how many instants it is looked whether Prometheus has anything
_EARLIEST = datetime(2012, 1, 1, tzinfo=UTC)  # there was no Prometheus before


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "backtest",
        usage="%(prog)s (ALERT | --expr PROMQL) [--rules FILE...] [options]",
        help="replay an alert rule over the past of a Prometheus: how often it would have fired",
        description="Recorded expressions of the rule files are written out, so that nothing need have been recorded.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("alert", nargs="?", metavar="ALERT", help="name of an alert in the rule files")
    what.add_argument("--expr", metavar="PROMQL", help="an expression instead of an alert of the files")
    parser.add_argument("--rules", type=Path, nargs="+", default=[], metavar="FILE", help="rule files of Prometheus")
    parser.add_argument("--for", dest="hold", type=_duration, metavar="TIME", help="instead of the rule's own `for`")
    parser.add_argument("--prometheus", metavar="URL", help="default: ALERT_SERVICE_PROMETHEUS__URL")
    parser.add_argument("--since", type=_duration, default=timedelta(days=7), metavar="TIME", help="default: 7d")
    parser.add_argument("--until", type=_instant, metavar="INSTANT", help="end of the range; default: now")
    parser.add_argument(
        "--step", type=_duration, default=timedelta(minutes=1), metavar="TIME", help="how often it is evaluated"
    )
    parser.add_argument("--zone", default="UTC", metavar="ZONE", help="time zone of the night, such as Europe/Berlin")
    parser.add_argument("--night", default="22:00-07:00", metavar="FROM-TO", help="default: 22:00-07:00")
    parser.add_argument("--json", action="store_true", help="print all firings, for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from alert_service.settings import AlertSettings

    url = settings_under(AlertSettings, {"prometheus": {"url": args.prometheus}}).prometheus.url
    if not url:
        raise CommandFailed("which Prometheus? Name it: --prometheus URL, or ALERT_SERVICE_PROMETHEUS__URL")
    if not timedelta(seconds=1) <= args.step <= args.since:
        raise CommandFailed("--step must be at least 1s and no longer than --since")
    rules, night = _rules(args), _night(args)
    verdicts = asyncio.run(_replay(url, rules, args, night))
    if args.json:
        print(json.dumps([_as_json(each) for each in verdicts], indent=2))
    else:
        print("\n\n".join(_as_text(each) for each in verdicts))
        if verdicts[0].end - verdicts[0].start < args.since:
            print(f"\nPrometheus has nothing from before about {verdicts[0].start:%Y-%m-%d %H:%M} UTC.")
    return OK


def _rules(args: argparse.Namespace) -> "list[Rule]":
    """Those of the name: an alert may have one for each severity."""
    from dataclasses import replace

    from alert_service.backtest import Rule, expanded, rules_in

    alerts, records = list[Rule](), dict[str, str]()
    for path in args.rules:
        try:
            found, recorded = rules_in(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise CommandFailed(f"{path}: {error}") from None
        alerts, records = alerts + found, records | recorded
    if args.expr is not None:
        alerts = [Rule(name="the expression", expression=args.expr)]
    else:
        names = sorted({each.name for each in alerts})
        alerts = [each for each in alerts if each.name == args.alert]
        if not alerts:
            known = f"they have {', '.join(names)}" if names else "give the files that have it: --rules FILE..."
            raise CommandFailed(f"no alert {args.alert} in the rule files; {known}")
    held = alerts if args.hold is None else [replace(each, hold=args.hold) for each in alerts]
    return [expanded(each, records) for each in held]


def _night(args: argparse.Namespace) -> "Hours":
    from common.hours import Hours

    start, _, end = args.night.partition("-")
    try:
        return Hours.model_validate({"start": start, "end": end, "zone": args.zone})
    except ValueError:
        raise CommandFailed(
            f"--night {args.night} --zone {args.zone}: write times such as 22:00-07:00, and an IANA zone such as "
            "Europe/Berlin"
        ) from None


async def _replay(url: str, rules: "Sequence[Rule]", args: argparse.Namespace, night: "Hours") -> "list[Verdict]":
    from alert_service.backtest import judged
    from alert_service.clients.asking import Refused, Unavailable
    from alert_service.clients.prometheus import Prometheus

    end, step = args.until or datetime.now(UTC), args.step
    prometheus = Prometheus(url)
    try:
        start = await _beginning(prometheus, end - args.since, end, step)
        others = await _history(prometheus, _OTHERS, start, end, step)
        return [
            judged(
                rule,
                await _history(prometheus, rule.expression, start, end, step),
                others,
                start=start,
                end=end,
                step=step,
                night=night,
            )
            for rule in rules
        ]
    except (Unavailable, Refused) as error:
        raise CommandFailed(str(error)) from None
    finally:
        await prometheus.close()


async def _beginning(prometheus: "Prometheus", start: datetime, end: datetime, step: timedelta) -> datetime:
    """Where its past begins, if that is later: a rate over weeks that it has forgotten would be too low.

    It has `up` for as long as it has anything that it scraped; where there is none, nothing is known.
    """
    coarse = max(step, (end - start) / _LOOKS)
    found = [at for each in await prometheus.query_range("count(up)", start, end, coarse) for at, _ in each.samples]
    return max(start, min(found) - coarse) if found else start


async def _history(
    prometheus: "Prometheus", expression: str, start: datetime, end: datetime, step: timedelta
) -> "list[History]":
    from alert_service.backtest import History, joined, questions

    parts = list[History]()
    for first, last in questions(start, end, step):
        answers = await prometheus.query_range(expression, first, last, step)
        parts += [History(labels=each.labels, instants=[at for at, _ in each.samples]) for each in answers]
    return joined(parts)


def _as_text(verdict: "Verdict") -> str:
    from alert_service.durations import shortly
    from common.policy.shape import format_duration

    rule, found = verdict.rule, verdict.firings
    days = (verdict.end - verdict.start) / timedelta(days=1)
    severity = f" ({rule.labels['severity']})" if "severity" in rule.labels else ""
    lines = [
        f"{rule.name}{severity}, for {format_duration(rule.hold)}, "
        f"{verdict.start:%Y-%m-%d %H:%M} to {verdict.end:%Y-%m-%d %H:%M} UTC"
    ]
    if not any(verdict.by_hold.values()):
        return "\n".join([*lines, "would not have fired, with any `for`: the expression was never true in that time"])
    if not found:
        lines.append("would not have fired")
    else:
        lasted = sorted(each.lasted for each in found)
        lines.append(
            f"would have fired {_times(len(found))} ({len(found) / days:.2g} a day), {verdict.at_night} at night"
        )
        lines.append(f"median {shortly(lasted[(len(lasted) - 1) // 2])}, longest {shortly(lasted[-1])}")
    lines += ["", "for     times"]
    for hold, count in verdict.by_hold.items():
        lines.append(f"{format_duration(hold):7} {count}{'   suggested' if hold == verdict.suggested else ''}")
    if verdict.suggested is None:
        lines.append("no `for` is suggested: with any of them, more than a tenth ends by itself within 5 minutes")
    if verdict.beside:
        named = [f"{name} ({count} of {len(found)})" for name, count in list(verdict.beside.items())[:_MOST_SHOWN]]
        lines += ["", f"fired together with {', '.join(named)}"]
    if found:
        lines += ["", "the longest:"]
    for each in sorted(found, key=lambda each: each.lasted, reverse=True)[:_MOST_SHOWN]:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(each.labels.items()))
        lines.append(f"  {each.start:%Y-%m-%d %H:%M}  {shortly(each.lasted):12} {labels}")
    return "\n".join(lines)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _as_json(verdict: "Verdict") -> dict[str, Any]:
    from common.policy.shape import format_duration

    return {
        "alert": verdict.rule.name,
        "expression": verdict.rule.expression,
        "for": format_duration(verdict.rule.hold),
        "start": verdict.start.isoformat(),
        "end": verdict.end.isoformat(),
        "times": len(verdict.firings),
        "at_night": verdict.at_night,
        "by_for": {format_duration(hold): count for hold, count in verdict.by_hold.items()},
        "suggested_for": None if verdict.suggested is None else format_duration(verdict.suggested),
        "beside": dict(verdict.beside),
        "firings": [
            {"labels": dict(each.labels), "start": each.start.isoformat(), "end": each.end.isoformat()}
            for each in verdict.firings
        ],
    }


def _duration(text: str) -> timedelta:
    from common.policy.shape import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no instant such as 2026-11-29T12:00:00Z") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found < _EARLIEST:
        raise argparse.ArgumentTypeError(f"{text} is before {_EARLIEST:%Y}, and Prometheus is not so old")
    return found
