"""What goes wrong in a day, and who else is at work. Each trouble ends by itself after a while, healed or not."""

from datetime import timedelta
from random import Random

from tests.support.simulation.cluster import SimulatedCluster, serving
from tests.support.simulation.controllers import Controllers, Deployment
from tests.support.simulation.healing import Healing
from tests.support.simulation.kubelets import Kubelets
from tests.support.simulation.population import POOL, ZONES, add_node

from auto_healing.facts import Pause
from auto_healing.marks import CORDONED_BY
from common.cluster.rows import NodeRow, PodRow, Taint
from common.contracts import ObjectKey

MINUTE, HOUR = 60.0, 3600.0
LEAVING = Taint(key="ToBeDeletedByClusterAutoscaler", effect="NoSchedule")


class Troubles:
    """`over_at` tells when the last cause is gone."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        controllers: Controllers,
        kubelets: Kubelets,
        healing: Healing,
        *,
        people: set[str],
        random: Random,
    ) -> None:
        self.cluster = cluster
        self.agenda = cluster.agenda
        self.controllers = controllers
        self.kubelets = kubelets
        self.healing = healing
        self.people = people
        self.random = random
        self.over_at = self.agenda.now
        self.kinds = {
            self.node_dark: 3,
            self.node_not_ready: 3,
            self.node_flaps: 1,
            self.node_blinks: 3,
            self.rack_fails: 2,
            self.zone_outage: 1,
            self.false_alarm: 1,
            self.pressure: 2,
            self.broken_machine: 1,
            self.bad_rollout: 3,
            self.good_rollout: 5,
            self.passing_crash_loop: 4,
            self.lonely_crash_loop: 3,
            self.local_crash_loop: 3,
            self.hopeless_workload: 2,
            self.sabotaged_pod: 2,
            self.lost_secret: 1,
            self.evicted_pile: 1,
            self.person_cordons: 3,
            self.autoscaler_removes: 2,
            self.api_outage: 1,
            self.lagging_view: 3,
            self.monitor_outage: 1,
            self.pause: 2,
            self.process_killed: 2,
        }

    def plan_day(self, most: int) -> None:
        """Some of them, at any hour of the 24 that follow."""
        kinds, weights = list(self.kinds), list(self.kinds.values())
        for kind in self.random.choices(kinds, weights, k=self.random.randint(most // 2, most)):
            self.agenda.after(self.random.uniform(0, 24 * HOUR), lambda kind=kind: self._happens(kind))

    def _happens(self, kind: object) -> None:
        self.healing.invariants.note(f"trouble: {getattr(kind, '__name__', kind)}")
        kind()  # type: ignore[operator]

    def _later(self, seconds: float, what: object) -> None:
        self.over_at = max(self.over_at, self.agenda.now + timedelta(seconds=seconds))
        self.agenda.after(seconds, what)  # type: ignore[arg-type]

    def _between(self, shortest: float, longest: float) -> float:
        return self.random.uniform(shortest, longest)

    def _node(self) -> NodeRow | None:
        rows = [row for row in self.cluster.store.rows(NodeRow).values() if row.ready and POOL in row.labels]
        return self.random.choice(rows) if rows else None

    def _deployment(self) -> Deployment:
        return self.random.choice(list(self.controllers.deployments.values()))

    def _pod(self) -> PodRow | None:
        pods = [pod for pod in serving(self.cluster.store.pods_of(self._deployment().key)) if pod.ready]
        return self.random.choice(pods) if pods else None

    # --- nodes

    def node_dark(self) -> None:
        if node := self._node():
            self.kubelets.silence(node.name)
            self._later(self._between(10 * MINUTE, 5 * HOUR), lambda: self.kubelets.wake(node.name))

    def node_blinks(self) -> None:
        """Back before anybody should do a thing."""
        if node := self._node():
            self.kubelets.silence(node.name)
            self._later(self._between(MINUTE, 4 * MINUTE), lambda: self.kubelets.wake(node.name))

    def node_not_ready(self) -> None:
        if node := self._node():
            self.kubelets.say(node.name, "False", "KubeletNotReady")
            self._later(self._between(10 * MINUTE, 4 * HOUR), lambda: self.kubelets.wake(node.name))

    def node_flaps(self) -> None:
        if node := self._node():
            at = 0.0
            for _ in range(self.random.randint(3, 8)):
                self._later(at, lambda: self.kubelets.silence(node.name))
                at += self._between(2 * MINUTE, 4 * MINUTE)
                self._later(at, lambda: self.kubelets.wake(node.name))
                at += self._between(2 * MINUTE, 6 * MINUTE)

    def rack_fails(self) -> None:
        """A few neighbours of one zone, one after the other."""
        if node := self._node():
            mates = [each for each in self._nodes() if each.zone == node.zone and POOL in each.labels and each.ready]
            lasts = self._between(30 * MINUTE, 3 * HOUR)
            for number, each in enumerate(self.random.sample(mates, min(3, len(mates)))):
                at = number * self._between(MINUTE, 3 * MINUTE)
                self.agenda.after(at, lambda name=each.name: self.kubelets.say(name, "False", "KubeletNotReady"))
                self._later(at + lasts, lambda name=each.name: self.kubelets.wake(name))

    def zone_outage(self) -> None:
        zone, lasts = self.random.choice(ZONES), self._between(10 * MINUTE, HOUR)
        for node in list(self.cluster.store.rows(NodeRow).values()):
            if node.zone == zone and self.random.random() < 0.8:
                self.agenda.after(self._between(0, 50), lambda node=node: self.kubelets.silence(node.name))
                self._later(lasts + self._between(60, 200), lambda node=node: self.kubelets.wake(node.name))

    def false_alarm(self) -> None:
        """The control plane calls many nodes silent in the same second, while their Leases are renewed."""
        for node in self.random.sample(sorted(self.cluster.store.rows(NodeRow)), 20):
            self.kubelets.say(node.name, "Unknown", "NodeStatusUnknown")
            self._later(self._between(2 * MINUTE, 8 * MINUTE), lambda node=node: self.kubelets.wake(node.name))

    def pressure(self) -> None:
        if node := self._node():
            type_ = self.random.choice(("MemoryPressure", "DiskPressure"))
            self.kubelets.press(node.name, type_, "True")
            self.kubelets.expel_for_pressure(node.name, 3)
            self._later(self._between(5 * MINUTE, 40 * MINUTE), lambda: self.kubelets.press(node.name, type_, "False"))

    def broken_machine(self) -> None:
        """It is ready, and nothing works on it."""
        if node := self._node():
            self.kubelets.ailments.nodes.add(node.name)
            self._later(self._between(HOUR, 6 * HOUR), lambda: self.kubelets.ailments.nodes.discard(node.name))
            for pod in serving(self.cluster.store.pods_on(node.name)):
                self.agenda.after(self._between(0, MINUTE), lambda pod=pod: self.kubelets.crash(pod))

    def autoscaler_removes(self) -> None:
        node = self._node()
        if node is None or sum(each.labels.get(POOL) == node.labels[POOL] for each in self._nodes()) < 3:
            return
        self.cluster.put(node, taints=(*node.taints, LEAVING))
        self._later(self._between(30, 5 * MINUTE), lambda: self.kubelets.retire(node.name))
        name = f"{node.labels[POOL]}-new-{self.cluster.serial()}"
        self._later(6 * MINUTE, lambda: self._join(name, node))

    def _join(self, name: str, like: NodeRow) -> None:
        add_node(self.cluster, name, like.labels[POOL], like.zone)
        self.cluster.touched[ObjectKey("DaemonSet", "kube-system", "kube-proxy")] = None

    def _nodes(self) -> list[NodeRow]:
        return list(self.cluster.store.rows(NodeRow).values())

    # --- workloads

    def bad_rollout(self) -> None:
        own = self._deployment()
        revision = self.controllers.roll_out(own.key)
        self.kubelets.ailments.revisions.add(revision)
        self._later(self._between(2 * HOUR, 6 * HOUR), lambda: self._mend_rollout(own))

    def _mend_rollout(self, own: Deployment) -> None:
        """Whatever became of it, its people roll out what works, as they do with a paused one too."""
        if own.newest in self.kubelets.ailments.revisions:
            self.controllers.roll_out(own.key)

    def good_rollout(self) -> None:
        self.controllers.roll_out(self._deployment().key)

    def passing_crash_loop(self) -> None:
        """Ends by itself."""
        if pod := self._pod():
            self._ail(pod, self._between(2 * MINUTE, 25 * MINUTE))

    def lonely_crash_loop(self) -> None:
        """Only a new pod helps."""
        if pod := self._pod():
            self._ail(pod, 8 * HOUR)

    def _ail(self, pod: PodRow, seconds: float) -> None:
        self.kubelets.ailments.pods.add(pod.uid)
        self.kubelets.crash(pod)
        self._later(seconds, lambda: self.kubelets.ailments.pods.discard(pod.uid))

    def local_crash_loop(self) -> None:
        """It fails on this one node, and nowhere else."""
        if pod := self._pod():
            here = (pod.labels["app"], pod.node)
            self.kubelets.ailments.on_node.add(here)
            self.kubelets.crash(pod)
            self._later(8 * HOUR, lambda: self.kubelets.ailments.on_node.discard(here))

    def hopeless_workload(self) -> None:
        """Nothing helps until its cause is gone."""
        own = self._deployment()
        self._break(own, self._between(HOUR, 6 * HOUR))
        for pod in serving(self.cluster.store.pods_of(own.key)):
            self.agenda.after(self._between(0, 20), lambda pod=pod: self.kubelets.crash(pod))

    def sabotaged_pod(self) -> None:
        """One pod fails, and so does every replacement of it."""
        if pod := self._pod():
            self._break(self.controllers.deployments[self.cluster.store.top_owner(pod)], 5 * HOUR)
            self.kubelets.crash(pod)

    def lost_secret(self) -> None:
        """Somebody has deleted it: what runs goes on, what starts anew does not."""
        own = self._deployment()
        lost = (own.key.namespace, own.key.name)
        self.kubelets.ailments.misconfigured.add(lost)
        self._later(self._between(HOUR, 4 * HOUR), lambda: self.kubelets.ailments.misconfigured.discard(lost))
        for pod in self.random.sample(pods := serving(self.cluster.store.pods_of(own.key)), (len(pods) + 1) // 2):
            self.cluster.delete(pod)

    def _break(self, own: Deployment, seconds: float) -> None:
        broken = (own.key.namespace, own.key.name)
        self.kubelets.ailments.workloads.add(broken)
        self._later(seconds, lambda: self.kubelets.ailments.workloads.discard(broken))

    def evicted_pile(self) -> None:
        if node := self._node():
            for wave in range(5):
                self.agenda.after(wave * 40, lambda: self.kubelets.expel_for_pressure(node.name, 4))

    # --- others

    def person_cordons(self) -> None:
        """Or uncordons what the product has cordoned."""
        ours = [node for node in self._nodes() if node.unschedulable and CORDONED_BY in node.annotations]
        if ours and self.random.random() < 0.5:
            self.cluster.put(self.random.choice(ours), unschedulable=False)
            return
        node = self._node()
        if node is not None and not node.unschedulable:
            self.people.add(node.name)
            self.cluster.put(node, unschedulable=True)
            self._later(self._between(10 * MINUTE, 5 * HOUR), lambda: self._uncordon(node.name))

    def _uncordon(self, name: str) -> None:
        node = self.cluster.node(name)
        self.healing.invariants.check(node is None or node.unschedulable, f"the cordon of {name} was a person's")
        self.people.discard(name)
        if node is not None:
            self.cluster.put(node, unschedulable=False)

    def pause(self) -> None:
        namespace = self.random.choice(("", "", "shop", "pay"))
        until = self.agenda.now + timedelta(seconds=self._between(10 * MINUTE, 2 * HOUR))
        pause = Pause(namespace=namespace, reason="release", by="eve", since=self.agenda.now, until=until)
        self.healing.pauses = [each for each in self.healing.pauses if each.until and each.until > self.agenda.now]
        self.healing.pauses.append(pause)
        self.over_at = max(self.over_at, until)

    # --- the product's own troubles

    def api_outage(self) -> None:
        if self.cluster.down:
            return
        self.cluster.answer(down=True)
        self._later(self._between(20, 10 * MINUTE), self._api_is_back)

    def _api_is_back(self) -> None:
        self.cluster.answer(down=False)
        self.healing.view = self.cluster.store
        self.healing.saw((), ["Pod", "Node"])
        for kind in ("Pod", "Node"):
            self.healing.monitor.restart_timers(self.agenda.now, kind)

    def lagging_view(self) -> None:
        if self.healing.view is self.cluster.store and not self.cluster.down:
            self.healing.view = self.cluster.lagging()
            self._later(self._between(5, 8 * MINUTE), lambda: setattr(self.healing, "view", self.cluster.store))

    def monitor_outage(self) -> None:
        self.healing.monitor_down = True
        self._later(self._between(MINUTE, 40 * MINUTE), lambda: setattr(self.healing, "monitor_down", False))

    def process_killed(self) -> None:
        self.healing.kill()
