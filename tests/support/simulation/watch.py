"""What must hold when something harmful begins, by what can be known at that instant."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.simulation.cluster import SimulatedCluster

from auto_healing.guards.settings import GuardSettings
from auto_healing.place import pool_of
from auto_healing.plan import Step
from auto_healing.run import Run, RunState
from auto_healing.world import World
from common.cluster.rows import (
    NodeRow,
    PodRow,
)
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey


class Broken(AssertionError):
    """An invariant does not hold."""


class Watch:
    """`seed` is told with every complaint, so that it can be seen again."""

    def __init__(self, seed: int, cluster: SimulatedCluster, settings: GuardSettings) -> None:
        self.seed = seed
        self.cluster = cluster
        self.settings = settings
        self.ledger: dict[UUID, list[RunState]] = defaultdict(list)
        self.active: dict[UUID, Run] = {}
        self.tried: dict[ObjectKey, list[Run]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.trail: list[str] = []
        self.done: dict[tuple[ObjectKey, str, str, str], datetime] = {}
        self.drained_at: datetime | None = None

    @property
    def now(self) -> datetime:
        return self.cluster.agenda.now

    def check(self, holds: bool, what: str) -> None:
        if not holds:
            told = "\n  ".join(self.trail[-12:])
            raise Broken(f"seed {self.seed}, {self.now:%Y-%m-%d %H:%M:%S}: {what}\n  {told}")

    def note(self, what: str) -> None:
        self.trail.append(f"{self.now:%d %H:%M:%S} {what}")
        del self.trail[:-60]

    def _not_paused(self, run: Run, world: World) -> None:
        paused = [each for each in world.pauses if each.namespace in {"", run.plan.target.namespace}]
        self.check(not paused, f"{run.plan.target.key} is touched during a pause")

    def _not_blind(self, world: World) -> None:
        settings, sight = self.settings.fresh_view, world.sight
        self.check(not self.cluster.down, "something harmful begins while the API server is away")
        for kind in ("Node", "Pod", "Namespace"):
            source = world.snapshot.sources[kind]
            fresh = source.heard_at is not None and self.now - source.heard_at <= settings.quiet
            self.check(source.state is SourceState.SYNCED and fresh, f"something harmful begins blind for {kind}s")
        ended = sight.outage_ended_at
        self.check(ended is None or self.now - ended >= settings.settle, "something harmful begins before it settled")
        heard = sight.health_monitor_heard_at
        known = heard is not None and self.now - heard <= settings.health_monitor_silence
        self.check(known, "something harmful begins on old findings")
        ready = [each for node in world.snapshot.rows(NodeRow).values() if (each := node.condition("Ready"))]
        recent = self.now - settings.same_second_hold
        fell = [each.changed_at for each in ready if each.status != "True" and each.changed_at]
        burst = Counter(at.replace(microsecond=0) for at in fell if at > recent)
        most = max(burst.values(), default=0)
        self.check(most <= settings.same_second_nodes, f"something harmful begins after {most} nodes fell at once")

    def _no_zone_outage(self, run: Run, snapshot: ClusterSnapshot) -> None:
        settings = self.settings.unhealthy_ratio
        node = _node_of(run, snapshot)
        if node is None or not node.zone:
            return
        zone = [each for each in snapshot.rows(NodeRow).values() if each.zone == node.zone]
        bad = sum(not each.ready for each in zone)
        outage = bad >= settings.zone_nodes and bad >= settings.zone_ratio * len(zone)
        self.check(
            not outage, f"{run.plan.target.key} is touched while {bad} of {len(zone)} nodes of its zone are down"
        )

    def _within_budget(self, run: Run, snapshot: ClusterSnapshot) -> None:
        """A node that is in service is not taken out of it when too many are out."""
        node = snapshot.node(run.plan.target.name) if run.plan.target.kind == "Node" else None
        if node is None or not node.ready or node.unschedulable:
            return
        budget = self.settings.disruption_budget
        nodes = list(snapshot.rows(NodeRow).values())
        for what, those, ratio in (
            (f"pool {pool_of(node)}", [each for each in nodes if pool_of(each) == pool_of(node)], budget.pool_ratio),
            ("the cluster", nodes, budget.cluster_ratio),
        ):
            out = sum(1 for each in those if each.unschedulable or not each.ready)
            most = max(1, int(ratio * len(those) + 1e-9))
            self.check(out < most, f"{node.name} is taken out of {what} with {out} of {len(those)} nodes out already")

    def _not_too_often(self, run: Run) -> None:
        settings, owner = self.settings.attempts, run.place.owner
        since = self.now - settings.window
        kept = [each for each in self.tried[owner] if each.started_at is not None and each.started_at > since]
        self.tried[owner] = kept
        alike = [
            each for each in kept if each.plan.fault.revision == run.plan.fault.revision or not run.plan.fault.revision
        ]
        last = max((each.started_at for each in alike if each.started_at), default=None)
        rested = last is not None and self.now - last >= settings.block
        self.check(len(alike) < settings.most or rested, f"{owner} is acted on {len(alike) + 1} times")
        kept.append(run)

    def _not_again_so_soon(self, run: Run, step: Step) -> None:
        """No circles, and no drain on the heels of another one. A run begins some seconds after it was allowed."""
        slack = timedelta(minutes=1)
        code, place = run.plan.fault.findings[0].code, (run.place.owner, run.place.node, step.action)
        before = self.done.get((*place, code))
        circle = before is not None and self.now - before < self.settings.loop.window - slack
        self.check(not circle, f"{step.action} of {run.plan.target.key} goes round in circles")
        self.done[*place, code] = self.now
        if step.action in {"drain", "reschedule-from-node"}:
            pause = self.settings.rate_limit.between_drains - slack
            close = self.drained_at is not None and self.now - self.drained_at < pause
            self.check(not close, f"{step.action} of {run.plan.target.key} follows another one at once")
            self.drained_at = self.now


def _node_of(run: Run, snapshot: ClusterSnapshot) -> NodeRow | None:
    row = snapshot.find(run.plan.target.key)
    if isinstance(row, NodeRow):
        return row
    return snapshot.node(row.node) if isinstance(row, PodRow) else None
