"""Days of a simulated cluster under the product's pure code, with everything that must hold checked at each event."""

from collections.abc import Collection
from datetime import timedelta
from random import Random

from tests.support.clock import NOON
from tests.support.simulation.agenda import Agenda
from tests.support.simulation.cluster import SimulatedCluster
from tests.support.simulation.controllers import Controllers
from tests.support.simulation.hands import Hands
from tests.support.simulation.healing import Healing
from tests.support.simulation.invariants import Invariants
from tests.support.simulation.kubelets import Kubelets
from tests.support.simulation.population import SHOPS, populate
from tests.support.simulation.replica import SWEEP_SECONDS
from tests.support.simulation.troubles import Troubles

from auto_healing.attribute import attribute
from auto_healing.decide import FaultKey
from auto_healing.fault import Fault
from auto_healing.guards import GUARDS
from auto_healing.looks import is_there, places_of, worked_on
from auto_healing.plan import Mode
from auto_healing.policy import HealingPolicy
from auto_healing.policy.defaults import DEFAULT_RULES
from auto_healing.policy.settings import Scope
from common.cluster.rows import PodRow
from common.cluster.snapshot import SourceState
from health_monitor.checks import CHECKS
from health_monitor.engine.engine import Engine

POLICY = HealingPolicy(mode=Mode.AUTO, scope=Scope(namespaces=list(SHOPS)), rules=DEFAULT_RULES)
WARM_UP = timedelta(hours=2)  # until all is rolled out, and old enough to be judged
QUIET = timedelta(hours=9)  # longer than any lease, and than any wait between attempts
# Nothing is decided on these. The Leases are simulated, and their check would look at every node every few seconds.
UNUSED = frozenset(
    [
        "pod-cpu-near-limit",
        "pod-memory-near-limit",
        "pod-no-requests",
        "node-cpu-high",
        "node-memory-high",
        "node-allocation-high",
        "node-limits-overcommitted",
        "node-pods-high",
        "node-clock-skew",
        "node-version-skew",
        "node-lease-stale",
        "cluster-metrics-absent",
    ]
)


class Simulation:
    """`days` goes on from where it is; `end` waits until nothing is left to be healed. `kills` is how likely the
    process is killed at each step's boundary, `without` the code of a guard that is left out."""

    def __init__(
        self, seed: int, *, nodes: int = 100, pods: int = 1_000, kills: float = 0.02, without: str = ""
    ) -> None:
        random = Random(seed)
        self.agenda = Agenda(NOON)
        self.cluster = SimulatedCluster(self.agenda, random)
        self.kubelets = Kubelets(self.cluster)
        self.controllers = Controllers(self.cluster, self.kubelets)
        self.invariants = Invariants(seed, self.cluster, POLICY.guards)
        self.people: set[str] = set()
        self.hands = Hands(self.cluster, self.controllers, self.invariants, self.people)
        populate(self.cluster, self.controllers, random, nodes=nodes, pods=pods)
        checks = [check for check in CHECKS if check.code not in UNUSED]
        self.monitor = Engine(self.cluster.store, checks=checks)
        self.healing = Healing(
            self.cluster,
            self.hands,
            self.monitor,
            POLICY,
            random=random,
            invariants=self.invariants,
            kills=kills,
            guards=[guard for guard in GUARDS if guard.code != without],
        )
        self.troubles = Troubles(
            self.cluster, self.controllers, self.kubelets, self.healing, people=self.people, random=random
        )
        self.events = 0
        self._settle()
        self.monitor.start()
        self._regularly()
        self.run(WARM_UP)

    def _regularly(self) -> None:
        self.agenda.every(60, self._heartbeat)
        self.agenda.every(60, self.healing.listen)
        self.agenda.every(SWEEP_SECONDS, self.healing.sweep)
        self.agenda.every(600, self._why_still_broken)
        self.agenda.every(3600, self._tidy)

    def _heartbeat(self) -> None:
        if not self.cluster.down:
            self.cluster.hear(SourceState.SYNCED)

    def _tidy(self) -> None:
        """As the scheduled cleanup would: what was evicted an hour ago is removed."""
        for pod in [pod for pod in self.cluster.store.rows(PodRow).values() if pod.finished]:
            self.cluster.remove(pod)
        self.healing.forget(self.agenda.now - timedelta(days=1))

    def _why_still_broken(self) -> None:
        """Asked of a leader that is there. What is open now has an answer now; whose fault that is may have changed
        since, and then it has another answer with the next look."""
        healing = self.healing
        if healing.dead_until is not None or healing.wake_at is not None:
            return  # it has just been told something
        faults = self._unattended()
        self.invariants.every_finding_has_an_answer(faults, healing.looks)
        silent = {fault.key for fault in faults if healing.looks.last(fault.key) is None}
        start = healing.starts
        if silent:
            self.agenda.at(healing.next_look + timedelta(seconds=1), lambda: self._still_silent(silent, start))

    def _still_silent(self, silent: Collection[FaultKey], start: int) -> None:
        if self.healing.starts == start:
            faults = [fault for fault in self._unattended() if fault.key in silent]
            self.invariants.every_fault_has_an_answer(faults, self.healing.looks)

    def _unattended(self) -> list[Fault]:
        """What nobody is at work on, and does not end by itself."""
        healing, world = self.healing, self.healing.world()
        at_work = worked_on(healing.past.unfinished())
        faults = attribute(healing.findings, world.snapshot, POLICY.attribution)
        return [each for each in faults if is_there(each, world) and not at_work & places_of(each, world)]

    # --- time

    def days(self, number: int, *, troubles: int = 24) -> None:
        for _ in range(number):
            self.troubles.plan_day(troubles)
            self.run(timedelta(days=1))

    def end(self) -> None:
        """The causes go, and time passes."""
        self.run(max(timedelta(0), self.troubles.over_at - self.agenda.now))
        self.run(QUIET)
        self.invariants.all_is_well(self.hands.changes)

    def run(self, length: timedelta) -> None:
        end = self.agenda.now + length
        while (at := self._next_at()) <= end:
            self.agenda.now = max(self.agenda.now, at)
            self.agenda.run_due()
            self._settle()
            self.events += 1
        self.agenda.now = end

    def _next_at(self) -> object:
        dates = [self.agenda.next_at, self.monitor.next_due_at]
        if self.healing.dead_until is None:
            dates.append(self.healing.next_look)
        return min(date for date in dates if date is not None)

    def _settle(self) -> None:
        self.controllers.settle()
        changes = self.cluster.take_changes()
        now = self.agenda.now
        self.monitor.mark(changes, now)
        self.monitor.mark_due(now)
        outcome = self.monitor.work(now)
        if self.healing.view is self.cluster.store:
            self.healing.saw(changes)
        self.healing.told(outcome.events)
        self.healing.look()
        self.invariants.after_event()
