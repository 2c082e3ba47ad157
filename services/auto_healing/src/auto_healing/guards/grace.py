"""Most trouble ends by itself: it must have lasted before it is acted on."""

from datetime import datetime
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import CONDITIONS
from auto_healing.plan import Decline, Step
from auto_healing.restarts import restarts_of
from common.cluster.rows import NodeRow
from common.contracts import Finding


class Grace:
    code: ClassVar[str] = "grace"
    title: ClassVar[str] = "Has the trouble lasted for long enough?"
    looks_at: ClassVar[str] = (
        "The age of the findings, each against the grace period of its code; one that is old enough is enough. A crash "
        "loop must also have had its restarts. Time is counted anew after an outage of the view, and after a node's "
        "condition turned from one bad state to another."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        declines = [self._too_young(finding, facts) for finding in facts.plan.fault.findings]
        if not declines or None in declines:
            return None
        return min(
            (each for each in declines if each is not None),
            key=lambda each: (each.look_again_at is None, each.look_again_at or facts.now),
        )

    def _too_young(self, finding: Finding, facts: Facts) -> Decline | None:
        settings = facts.settings.grace
        grace = settings.codes.get(finding.code, settings.default)
        since = _since(finding, facts)
        age = facts.now - since
        if age < grace:
            numbers = {"age_seconds": round(age.total_seconds()), "grace_seconds": grace.total_seconds()}
            return Decline(
                guard=self.code,
                message=f"{finding.code} has lasted {numbers['age_seconds']} s; it may end by itself within "
                f"{numbers['grace_seconds']:g} s",
                numbers=numbers,
                look_again_at=since + grace,
            )
        restarts = restarts_of(finding, facts.snapshot)
        if restarts is None or restarts >= settings.restarts:
            return None
        return Decline(
            guard=self.code,
            message=f"{finding.object.key} has restarted {restarts} times; it is given {settings.restarts}",
            numbers={"restarts": restarts, "needed": settings.restarts},
        )


def _since(finding: Finding, facts: Facts) -> datetime:
    """What was before an outage of the view is not counted: nobody saw whether it held all the time."""
    times = [finding.since, facts.sight.outage_ended_at, _flipped_at(finding, facts)]
    return max(time for time in times if time is not None)


def _flipped_at(finding: Finding, facts: Facts) -> datetime | None:
    """When the node's condition last turned; a reboot turns Ready from Unknown to False, and is not to be disturbed."""
    node = facts.snapshot.find(finding.object.key)
    if not isinstance(node, NodeRow) or finding.code == "node-flapping":  # which turns all the time
        return None
    condition = node.condition(CONDITIONS.get(finding.code, finding.part))
    return None if condition is None else condition.changed_at
