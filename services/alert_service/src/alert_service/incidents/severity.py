"""How bad an alert is: one of four classes, from the words of its labels."""

from collections.abc import Iterable, Mapping

from alert_service.incidents.alert import AlertSeverity
from alert_service.policy.settings import SeverityPart


def severity_of(labels: Mapping[str, str], part: SeverityPart) -> AlertSeverity:
    """By the policy's own words first, then the four classes' names; anything else is `unknown`."""
    word = labels.get(part.label, "")
    if word in part.words:
        return part.words[word]
    try:
        return AlertSeverity(word.lower())
    except ValueError:
        return part.unknown


def highest(severities: Iterable[AlertSeverity]) -> AlertSeverity:
    return max(severities, key=lambda each: each.rank, default=AlertSeverity.NONE)
