"""Am I blind? What of the cluster is not seen, or not any more."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot, Source, SourceState
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import NODE_USAGE, POD_USAGE, SOURCES, Check, Symptom, threshold

VITAL = frozenset({"Node", "Pod"})
_TOGETHER = (SourceState.STALE, SourceState.STARTING)
MEASURED = frozenset({NODE_USAGE, POD_USAGE})  # their absence is common, and told by its own check


@dataclass(frozen=True, slots=True)
class Thresholds:
    stale: timedelta = threshold(
        timedelta(seconds=30),
        "How long a watch may be silent or broken. A judgement: reconnecting takes seconds, and the API server ends "
        "quiet watches regularly.",
    )
    starting: timedelta = threshold(
        timedelta(minutes=2), "How long the first list of a kind may take. A judgement: 150,000 pods take some 20 s."
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    """Each kind that may not be seen is one trouble. Broken watches are one together: mostly the server is to blame."""
    sources = [each for each in snapshot.sources.values() if each.kind not in MEASURED]
    stale, starting = ([each for each in sources if each.state is state] for state in _TOGETHER)
    symptoms = [_forbidden(each) for each in sources if each.state is SourceState.UNSEEN]
    if stale:
        since = min((each.heard_at for each in stale if each.heard_at is not None), default=None)
        symptoms.append(_together(stale, "no longer followed, so what is known grows old", since, thresholds.stale))
    if starting:
        symptoms.append(_together(starting, "not listed yet", None, thresholds.starting))
    return symptoms


def _forbidden(source: Source) -> Symptom:
    reason = f": {source.reason}" if source.reason else ""
    return Symptom(
        message=f"Kind {source.kind} cannot be seen, so nothing is known of it{reason}",
        part=source.kind,
        severity=_severity([source]),
        evidence={"kind": source.kind, "state": source.state.value},
        restarts_timer=False,
    )


def _together(sources: list[Source], what: str, since: datetime | None, after: timedelta) -> Symptom:
    kinds = ", ".join(sorted(each.kind for each in sources))
    reason = next((f": {each.reason}" for each in sources if each.reason), "")
    return Symptom(
        message=f"{kinds} {'is' if len(sources) == 1 else 'are'} {what}{reason}",
        since=since,
        after=after,
        part=sources[0].state.value,
        severity=_severity(sources),
        evidence={"kinds": len(sources), "state": sources[0].state.value},
        restarts_timer=False,
    )


def _severity(sources: Iterable[Source]) -> Severity:
    return Severity.CRITICAL if any(each.kind in VITAL for each in sources) else Severity.WARNING


CHECK = Check(
    code="cluster-view-stale",
    title="View of the cluster incomplete",
    kind=CLUSTER,
    severity=Severity.WARNING,
    summary="Some kind of object is not seen, or not any more: the watch is broken, the permission is missing, or "
    "the first list never ended. Health of those objects is not known; silence about them is not good news. It lowers "
    "the confidence, not the score.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
    weight=0,
)
