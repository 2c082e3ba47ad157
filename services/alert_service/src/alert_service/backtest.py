"""What a rule of Prometheus would have done, from what its expression answered at each step of the past. Pure.

Prometheus fires when an expression answered at each evaluation for as long as `for` says, and goes on for
`keep_firing_for` when it no longer does: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from common.hours import Hours
from common.policy.document import load

MOST_STEPS = 10_000  # Prometheus refuses more than 11,000 in one question
SHORT = timedelta(minutes=5)  # what ends by itself so soon is over before anybody has looked
MOST_SHORT = 0.1  # share of firings that may be so short
HOLDS = tuple(timedelta(minutes=each) for each in (0, 1, 2, 5, 10, 15, 30, 60, 120, 240))
_UNITS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:(\d+){unit}(?![a-z]))?" for unit in _UNITS))
_FINE = "1m"  # how often a recorded expression is computed within a window
_RECORDS_DEEP = 5  # recorded expressions that use recorded ones


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The instants at which an expression answered with these labels, in order."""

    labels: Mapping[str, str]
    instants: Sequence[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alerting rule."""

    name: str
    expression: str
    hold: timedelta = timedelta(0)  # `for`
    keep: timedelta = timedelta(0)  # `keep_firing_for`
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time that the rule would have fired, for one set of labels."""

    labels: Mapping[str, str]
    start: datetime
    end: datetime  # the first step at which it no longer fires; the end of the range when it still does

    @property
    def lasted(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How often a rule would have fired."""

    rule: Rule
    start: datetime
    end: datetime
    firings: Sequence[Firing]
    at_night: int
    by_hold: Mapping[timedelta, int]  # how often it would have fired with another `for`
    beside: Mapping[str, int]  # firings during which an alert of that name fired too
    suggested: timedelta | None  # the shortest `for` with few short firings; None: none of HOLDS is long enough


def rules_in(text: str) -> tuple[list[Rule], dict[str, str]]:
    """The alerting rules of a rule file, and the recorded expressions by name. ValueError when it is none.

    A PrometheusRule of the operator is one, too: its groups are below `spec`.
    """
    alerts, records = list[Rule](), dict[str, str]()
    try:
        content = load(text) or {}
        for rule in (rule for group in content.get("spec", content)["groups"] for rule in group["rules"]):
            if "record" in rule:
                records[rule["record"]] = str(rule["expr"])
            else:
                alerts.append(_rule(rule))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no file of rules: {type(error).__name__} {error}") from None
    return alerts, records


def _rule(rule: Mapping[str, object]) -> Rule:
    labels = rule.get("labels") or {}
    return Rule(
        name=str(rule["alert"]),
        expression=str(rule["expr"]),
        hold=_duration(rule, "for"),
        keep=_duration(rule, "keep_firing_for"),
        labels=labels if isinstance(labels, Mapping) else {},
    )


def _duration(rule: Mapping[str, object], name: str) -> timedelta:
    """In Prometheus' own notation, which has weeks, years and milliseconds: a file may hold rules of others."""
    text = str(rule.get(name) or "0")
    found = _DURATION.fullmatch(text)
    if text != "0" and (found is None or not text):
        raise ValueError(f"{name} of {rule['alert']} must be a duration such as 90s, 5m or 1h30m")
    amounts = found.groups(default="0") if found else ()
    return timedelta(seconds=sum(int(amount) * size for amount, size in zip(amounts, _UNITS.values(), strict=False)))


def expanded(rule: Rule, records: Mapping[str, str]) -> Rule:
    """With recorded expressions written out, so that it can be asked of a past in which they were not recorded yet."""
    expression = rule.expression
    for _ in range(_RECORDS_DEEP):
        before = expression
        for name, recorded in records.items():
            expression = _written_out(expression, name, recorded)
        if expression == before:
            break
    return replace(rule, expression=expression)


def _written_out(expression: str, name: str, recorded: str) -> str:
    """A window over it becomes a subquery. With matchers of its own it stays as it is."""
    pattern = rf"(?<![\w:]){re.escape(name)}(?![\w:{{])(?:\[(\w+)\])?"

    def text(found: re.Match[str]) -> str:
        return f"({recorded})[{found[1]}:{_FINE}]" if found[1] else f"({recorded})"

    return re.sub(pattern, text, expression)


def questions(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The range in parts that Prometheus answers."""
    while start <= end:
        last = min(start + step * (MOST_STEPS - 1), end)
        yield start, last
        start = last + step


def joined(parts: Iterable[History]) -> list[History]:
    """One for each set of labels, from the answers in the order of time."""
    instants: dict[tuple[tuple[str, str], ...], list[datetime]] = {}
    for each in parts:
        instants.setdefault(tuple(sorted(each.labels.items())), []).extend(each.instants)
    return [History(labels=dict(labels), instants=found) for labels, found in instants.items()]


def firings(series: Iterable[History], rule: Rule, step: timedelta) -> list[Firing]:
    """In the order of time. What the first step already answers is taken to have begun there."""
    found = [each for one in series for each in _of_one(one, rule, step)]
    return sorted(found, key=lambda each: (each.start, sorted(each.labels.items())))


def _of_one(series: History, rule: Rule, step: timedelta) -> Iterator[Firing]:
    held = step * math.ceil(rule.hold / step)
    labels = {name: value for name, value in series.labels.items() if name != "__name__"}
    going: Firing | None = None
    for first, last in _spans(series.instants, step):
        gone = last + step + rule.keep
        if going is not None and first <= going.end and rule.keep:
            going = replace(going, end=gone)  # it had not ended yet
        elif last - first >= held:
            if going is not None:
                yield going
            going = Firing(labels=labels, start=first + held, end=gone)
    if going is not None:
        yield going


def _spans(instants: Sequence[datetime], step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """First and last of instants that follow each other without a step between them."""
    first = last = None
    for at in instants:
        if first is not None and last is not None and at - last > step * 1.5:
            yield first, last
            first = at
        first, last = first or at, at
    if first is not None and last is not None:
        yield first, last


def suggested(series: Sequence[History], rule: Rule, step: timedelta) -> timedelta | None:
    """The shortest `for` with which at most one firing of ten ends by itself within 5 minutes."""
    for hold in HOLDS:
        found = firings(series, replace(rule, hold=hold, keep=timedelta(0)), step)
        if sum(each.lasted <= SHORT for each in found) <= MOST_SHORT * len(found):
            return hold
    return None


def beside(found: Sequence[Firing], others: Iterable[History], rule: Rule, step: timedelta) -> Mapping[str, int]:
    """How many of the firings fell into a time at which an alert of another name fired; the most frequent first."""
    times: dict[str, list[tuple[datetime, datetime]]] = {}
    for series in others:
        if (name := series.labels.get("alertname", "")) not in ("", rule.name):
            times.setdefault(name, []).extend(_spans(series.instants, step))
    together = Counter(
        {
            name: sum(any(first < each.end and last + step > each.start for first, last in spans) for each in found)
            for name, spans in times.items()
        }
    )
    return {name: count for name, count in together.most_common() if count}


def judged(
    rule: Rule,
    series: Sequence[History],
    others: Sequence[History],
    *,
    start: datetime,
    end: datetime,
    step: timedelta,
    night: Hours,
) -> Verdict:
    """What it would have done from start to end."""
    found = [replace(each, end=min(each.end, end)) for each in firings(series, rule, step)]
    return Verdict(
        rule=rule,
        start=start,
        end=end,
        firings=found,
        at_night=sum(night.contains(each.start) for each in found),
        by_hold={hold: len(firings(series, replace(rule, hold=hold), step)) for hold in HOLDS},
        beside=beside(found, others, rule, step),
        suggested=suggested(series, rule, step),
    )
