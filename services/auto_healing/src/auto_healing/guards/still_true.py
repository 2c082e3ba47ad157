"""What was seen before is read again: the object may be gone, well, or in somebody's hands since."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.fault import FaultLevel
from auto_healing.guards.census import READY, is_bad
from auto_healing.guards.steps import codes_of, conditions_of, row_of, watched
from auto_healing.marks import CORDON_UNTIL, CORDONED_BY
from auto_healing.plan import Decline, Step
from common.cluster.rows import HorizontalPodAutoscalerRow, NodeRow, PodRow, Row, WorkloadRow

# What such findings are about is over when the pod is ready.
_UNREADY = frozenset(
    {
        "pod-config-error",
        "pod-crash-loop",
        "pod-image-pull",
        "pod-init-stuck",
        "pod-not-ready",
        "pod-on-not-ready-node",
        "pod-pending",
        "pod-readiness-failing",
        "pod-unknown",
        "pod-unschedulable",
    }
)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)  # well, and nothing tells since when
_SHORT = frozenset({"deployment-unavailable", "statefulset-unavailable", "daemonset-unavailable"})


class StillTrue:
    code: ClassVar[str] = "still-true"
    title: ClassVar[str] = "Is the target still there, still ill, and still ours to act on?"
    looks_at: ClassVar[str] = (
        "The target as it is now: that it lives on under the same uid, that its findings are still open, that its pod, "
        "node or workload has not recovered in the meantime, and that nobody has uncordoned the node by hand since it "
        "was cordoned. What has been well for a moment only is left alone until it is well for good, or ill again."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        row = row_of(step, facts)
        if row is None:
            return self._no(f"{step.target.key} is gone") if watched(step, facts) else self._resolved(facts)
        if step.target.uid and step.target.uid != row.uid:
            return self._no(f"{step.target.key} was made anew: it is not the one that this was decided about")
        return self._resolved(facts) or self._uncordoned(row, facts) or self._recovered(_ill(row, facts), facts)

    def _no(self, message: str, look_again_at: datetime | None = None, **numbers: float) -> Decline:
        return Decline(guard=self.code, message=message, numbers=numbers, look_again_at=look_again_at)

    def _resolved(self, facts: Facts) -> Decline | None:
        findings = facts.plan.fault.findings
        if facts.open_findings is None or not findings or any(each.key in facts.open_findings for each in findings):
            return None
        told = ", ".join(sorted(codes_of(facts)))
        return self._no(f"What led to this is resolved meanwhile: {told}", findings=len(findings))

    def _uncordoned(self, row: Row, facts: Facts) -> Decline | None:
        """Our marks on a node that is not cordoned: a person has uncordoned it, which leaves them there."""
        if not isinstance(row, NodeRow) or row.unschedulable or CORDONED_BY not in row.annotations:
            return None
        until = _instant(row.annotations.get(CORDON_UNTIL, ""))
        if until is not None and until <= facts.now:
            return None
        return self._no(
            f"Somebody has uncordoned node {row.name} by hand since it was cordoned; it is left alone until that "
            f"cordon would have ended, or until the annotation {CORDONED_BY} is removed",
            until,
        )

    def _recovered(self, row: Row, facts: Facts) -> Decline | None:
        since = _well_since(row, facts)
        if since is None:
            return None
        if since == _LONG_AGO:
            return self._no(f"{row.key} has recovered")
        well, needed = facts.now - since, facts.settings.still_true.well
        seconds = round(well.total_seconds())
        if well >= needed:
            return self._no(f"{row.key} has recovered: it has been well for {seconds} s", well_seconds=seconds)
        return self._no(
            f"{row.key} may be recovering: it has been well for {seconds} s, and counts as recovered after "
            f"{needed.total_seconds():g} s",
            since + needed,
            well_seconds=seconds,
            needed_seconds=needed.total_seconds(),
        )


def _ill(row: Row, facts: Facts) -> Row:
    """What the findings are about: the node, where it is to blame, though the step be about one of its pods."""
    if facts.plan.fault.level is not FaultLevel.NODE:
        return row
    return facts.snapshot.find(facts.plan.fault.subject) or row


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _well_since(row: Row, facts: Facts) -> datetime | None:
    """Since when nothing is left of what the findings are about; None while something is, or when it cannot be told.

    A condition that turned from Unknown to False is as bad as before: the node is frozen, neither well nor newly ill.
    """
    if isinstance(row, NodeRow):
        return _node_well_since(row, conditions_of(facts))
    codes = codes_of(facts)
    if isinstance(row, PodRow) and codes and codes <= _UNREADY:
        return row.ready_changed_at or facts.now if row.ready and not _between_crashes(row, facts.now) else None
    if isinstance(row, WorkloadRow) and codes and codes <= _SHORT:
        short = row.ready_replicas < row.replicas or row.observed_generation < row.generation
        return None if short else _LONG_AGO
    if isinstance(row, HorizontalPodAutoscalerRow) and codes == {"hpa-at-max"}:
        return None if _held_back(row) else _LONG_AGO
    return None


def _held_back(hpa: HorizontalPodAutoscalerRow) -> bool:
    """It wants more than its maximum. TooFewReplicas says that it is at its minimum, and a fixed size is no limit."""
    limited = hpa.condition("ScalingLimited")
    at_most = limited is not None and limited.status == "True" and limited.reason == "TooManyReplicas"
    return at_most and hpa.min_replicas < hpa.max_replicas


def _between_crashes(pod: PodRow, now: datetime) -> bool:
    """A container that crashed before is ready for as long as it takes to crash again: up to 15 min, that is no cure.

    The kubelet's longest back-off is 5 min, and it forgets a crash after a run of 10 min.
    """
    recent = now - timedelta(minutes=15)
    return any(each.restarts >= 2 and (each.last_finished_at or recent) > recent for each in pod.statuses)


def _node_well_since(node: NodeRow, types: frozenset[str]) -> datetime | None:
    """Ready has to be good too, whatever the findings are about."""
    about = [condition for condition in node.conditions if condition.type in types | {READY}]
    if not types or any(is_bad(condition) for condition in about) or node.condition(READY) is None:
        return None
    return max((condition.changed_at for condition in about if condition.changed_at), default=None)
