"""What guards ask of steps: what sort of step it is, what it is about, and where."""

from collections.abc import Iterator

from auto_healing.facts import Facts
from auto_healing.guards.census import Census, take_census
from auto_healing.history import PastRun
from auto_healing.plan import Harm, Step
from common.cluster.rows import NodeRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

# Pods go by the Eviction API, which asks their PDBs; others are deleted.
EVICTING = frozenset({"evict-pod", "drain", "move-pod"})
# A step on a pod with one of these takes that pod away.
TAKING_PODS = frozenset({"delete-pod", "evict-pod", "move-pod"})
DRAINING = frozenset({"drain", "reschedule-from-node", "replace-node"})
# The workload's own controller brings new pods before, or as fast as, old ones go: maxSurge and maxUnavailable.
PACED_BY_CONTROLLER = frozenset({"restart-surge-first", "restart-rollout", "roll-back"})
# They set what Git, an operator or an autoscaler may set as well.
CHANGING_SPEC = frozenset({"roll-back", "pause-rollout"})
# They end or steer a rollout, so that one under way is no reason against them.
STEERING_ROLLOUTS = frozenset({"roll-back", "pause-rollout"})
CLEANING_LOOPS = "clean-crash-loops"


def counted(number: int, noun: str) -> str:
    """ "1 node", "2 nodes"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def tidies(of: Step | PastRun) -> bool:
    """Removes what serves nobody. Cleanup has its own limits, so pacing by workload and namespace is not for it."""
    return of.action.startswith("clean-") and of.action != CLEANING_LOOPS


def scales(step: Step) -> bool:
    return step.action.startswith("scale-") or (step.action == CLEANING_LOOPS and step.target.kind != "Pod")


def row_of(step: Step, facts: Facts) -> Row | None:
    return facts.snapshot.find(step.target.key)


def watched(step: Step, facts: Facts) -> bool:
    """Whether the snapshot would know the target; ConfigMaps and the like are read live only."""
    return step.target.kind in facts.snapshot.sources


def owner_of(step: Step, facts: Facts) -> ObjectKey:
    """The top workload of the target, or the target itself."""
    row = row_of(step, facts)
    return step.target.key if row is None or isinstance(row, NodeRow) else facts.snapshot.top_owner(row)


def node_of(step: Step, facts: Facts) -> NodeRow | None:
    """The node that the target is, or runs on."""
    row = row_of(step, facts)
    if isinstance(row, NodeRow):
        return row
    return facts.snapshot.node(row.node) if isinstance(row, PodRow) and row.node else None


def with_owners(row: Row, snapshot: ClusterSnapshot) -> Iterator[Row]:
    """The row and those of its owners that are known, from the bottom up."""
    yield row
    for key in snapshot.owners(row):
        if (above := snapshot.find(key)) is not None:
            yield above


def displaced_pods(step: Step, facts: Facts) -> Iterator[PodRow]:
    """Those that are still there, in the life that was planned for."""
    for each in step.displaces:
        pod = facts.snapshot.get(PodRow, each.pod.name, each.pod.namespace)
        if pod is not None and each.pod.uid in {"", pod.uid}:
            yield pod


def census_of(facts: Facts) -> Census:
    if facts.census is not None:
        return facts.census
    age = facts.settings.fresh_view.lease_age.total_seconds()
    return take_census(facts.snapshot, facts.now, lease_age_seconds=age)


def codes_of(facts: Facts) -> frozenset[str]:
    return frozenset(finding.code for finding in facts.plan.fault.findings)


# Which condition of a node each code is about; node-condition tells it in the finding's part.
CONDITIONS = {
    "node-not-ready": "Ready",
    "node-unknown": "Ready",
    "node-lease-stale": "Ready",
    "node-flapping": "Ready",
    "node-disk-pressure": "DiskPressure",
    "node-memory-pressure": "MemoryPressure",
    "node-pid-pressure": "PIDPressure",
    "node-network-unavailable": "NetworkUnavailable",
}


def conditions_of(facts: Facts) -> frozenset[str]:
    """Types of the node conditions that the findings are about."""
    types = (
        CONDITIONS.get(finding.code) or (finding.part if finding.code == "node-condition" else "")
        for finding in facts.plan.fault.findings
    )
    return frozenset(filter(None, types))


def active_runs(facts: Facts) -> list[PastRun]:
    """Harmful ones between their approval and their verdict, of others; those that were only just allowed included."""
    return [run for run in (*facts.history.active(), *facts.planned) if run.harm is Harm.HARMFUL]


def is_same_remedy(run: PastRun, step: Step, facts: Facts) -> bool:
    """Runs are known by the action of their first step."""
    first = facts.plan.steps[0].action if facts.plan.steps else step.action
    return run.action in {step.action, first}
