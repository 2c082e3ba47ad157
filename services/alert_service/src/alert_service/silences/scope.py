"""What a silence covers, and whether it may. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alert_service.durations import shortly
from alert_service.incidents.acts import ActKind, Person
from alert_service.incidents.alert import AlertSeverity, Labels, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import Incident
from alert_service.incidents.severity import severity_of
from alert_service.policy.settings import SeverityPart
from alert_service.policy.suppression import SilencePart
from alert_service.routing.matchers import Matcher, matcher

_MOST_NAMES = 3
_OF_PROMETHEUS = frozenset({"__name__", "alertstate"})


class SilenceReason(StrEnum):
    """Why there is no silence."""

    NOT_OPEN = "not_open"
    NOT_OF_ALERTMANAGER = "not_of_alertmanager"
    NOTHING_IN_COMMON = "nothing_in_common"
    MATCHES_EVERYTHING = "matches_everything"
    ENDS_BEFORE_IT_BEGINS = "ends_before_it_begins"
    TOO_LONG = "too_long"
    TOO_WIDE = "too_wide"  # for this person
    REASON_MISSING = "reason_missing"
    GONE = "gone"  # it has ended, or Alertmanager does not know it


class SilenceRefused(Exception):
    """There is none, and the message says what would have to be different."""

    def __init__(self, reason: SilenceReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """One alert that a silence covers."""

    fingerprint: str
    name: str
    severity: AlertSeverity
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a silence would mute of what fires now, and would have muted of what was told in the last 30 days."""

    now: Sequence[Muted]
    month: Sequence[Muted]

    @property
    def width(self) -> int:
        """How many different alerts it covers."""
        return len({each.fingerprint for each in (*self.now, *self.month)})

    @property
    def critical(self) -> Sequence[Muted]:
        """Of those that fire now."""
        return [each for each in self.now if each.severity is AlertSeverity.CRITICAL]

    def names(self) -> Mapping[str, int]:
        """How many of each alertname, the most first."""
        different = {each.fingerprint: each.name for each in (*self.month, *self.now)}
        return dict(Counter(different.values()).most_common())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A silence as somebody wants it."""

    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    by: Person
    comment: str


def fired_within_30_days(matchers: Iterable[Matcher]) -> str:
    """The question to Prometheus, whose ALERTS lack the labels that it adds when it sends alerts.

    https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/#inspecting-alerts-during-runtime
    """
    labels = ",".join(['alertstate="firing"', *map(str, matchers)])
    return f"last_over_time(ALERTS{{{labels}}}[30d])"


def unheard(fired: Iterable[Labels], known: Collection[Muted], part: SeverityPart) -> Iterator[Muted]:
    """What Prometheus knows of and nobody told here: no known alert has all of its labels."""
    seen: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for series in fired:
        labels = {name: value for name, value in series.items() if name not in _OF_PROMETHEUS}
        names = tuple(sorted(labels))
        if names not in seen:
            seen[names] = {tuple(each.labels.get(name, "") for name in names) for each in known}
        if tuple(labels[name] for name in names) not in seen[names]:
            name, severity = labels.get("alertname", ""), severity_of(labels, part)
            yield Muted(fingerprint=fingerprint_of(labels), name=name, severity=severity, labels=labels)


def matchers_of(incident: Incident) -> tuple[Matcher, ...]:
    """What all its alerts have in common: it covers those, and what is like them. Raises SilenceRefused.

    The severity is among it, so that one that becomes worse is told.
    """
    if incident.source is not Source.ALERTMANAGER:
        detail = f"Alertmanager cannot silence what {incident.source} tells: acknowledge it instead"
        raise SilenceRefused(SilenceReason.NOT_OF_ALERTMANAGER, detail)
    firing: list[Mapping[str, str]] = [each.alert.labels for each in incident.firing] or [incident.labels]
    common = {name: value for name, value in firing[0].items() if all(each.get(name) == value for each in firing)}
    kept = {name: value for name, value in common.items() if value}
    if not kept:
        detail = "its alerts have no label in common: make silences for them with POST /api/v1/silences"
        raise SilenceRefused(SilenceReason.NOTHING_IN_COMMON, detail)
    return tuple(matcher(name, value) for name, value in sorted(kept.items()))


def check(wanted: Request, part: SilencePart) -> None:
    """What can be said without knowing what it covers. Raises SilenceRefused."""
    if all(each.matches({}) for each in wanted.matchers):
        detail = 'it would mute everything: at least one matcher must not match alerts without its label, as a="b" does'
        raise SilenceRefused(SilenceReason.MATCHES_EVERYTHING, detail)
    if wanted.ends_at <= wanted.starts_at:
        raise SilenceRefused(SilenceReason.ENDS_BEFORE_IT_BEGINS, "it would end before it begins")
    if wanted.ends_at - wanted.starts_at > part.longest:
        detail = f"it would last longer than the policy allows (silences.longest): {shortly(part.longest)} at most"
        raise SilenceRefused(SilenceReason.TOO_LONG, detail)


def check_width(wanted: Request, preview: Preview, part: SilencePart) -> None:
    """A wide one takes a reason, and somebody who may close incidents. Raises SilenceRefused."""
    if preview.width <= part.widest:
        return
    covers = f"it would cover {preview.width} alerts ({_listed(preview.names())}), more than {part.widest}"
    if ActKind.RESOLVE not in wanted.by.rights:
        detail = f"{covers}: that takes somebody with the right resolve, or narrower matchers"
        raise SilenceRefused(SilenceReason.TOO_WIDE, detail)
    if not wanted.comment.strip():
        detail = f"{covers}: that takes a reason, so make it with POST /api/v1/silences and a comment"
        raise SilenceRefused(SilenceReason.REASON_MISSING, detail)


def _listed(names: Mapping[str, int]) -> str:
    shown = [f"{count} {name}" for name, count in list(names.items())[:_MOST_NAMES]]
    return ", ".join(shown) + (", ..." if len(names) > _MOST_NAMES else "")


def still_firing(muted: Collection[Muted]) -> str:
    """For a sentence about what a silence leaves behind."""
    if not muted:
        return "nothing of it fires any more"
    names = Counter(each.name for each in muted)
    return f"{len(muted)} still fire{'s' * (len(muted) == 1)}: {_listed(dict(names.most_common()))}"
