"""Scheduler, kubelets and node controller of a simulated cluster: where pods run, how they fail, what nodes say."""

from collections import Counter
from datetime import datetime, timedelta

from msgspec.structs import replace
from tests.support.simulation.cluster import SimulatedCluster

from common.cluster.rows import Condition, ContainerStatus, NodeRow, OwnerRef, PodRow, Taint
from common.contracts import ObjectKey

UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"
GRACE_SECONDS = 45.0  # from the last heartbeat until the control plane calls a node silent
TOLERATION_SECONDS = 300.0  # for which pods stay on a node that is not ready
LONGEST_BACK_OFF = 300
RUNNING = (ContainerStatus(name="app", ready=True, state="running"),)
_UNSCHEDULABLE = (Condition(type="PodScheduled", status="False", reason="Unschedulable"),)


class Ailments:
    """Why pods fail. What is taken out of here is healed, and shows with the next start."""

    def __init__(self) -> None:
        self.workloads: set[tuple[str, str]] = set()  # namespace and app: nothing of it works
        self.revisions: set[str] = set()  # hashes of templates
        self.on_node: set[tuple[str, str]] = set()  # app and node: it works everywhere else
        self.nodes: set[str] = set()  # nothing that a controller has made works there
        self.pods: set[str] = set()  # uids: this one life
        self.misconfigured: set[tuple[str, str]] = set()  # namespace and app: what starts now misses its Secret

    def has(self, pod: PodRow) -> bool:
        app = pod.labels.get("app", "")
        return (
            pod.uid in self.pods
            or (app, pod.node) in self.on_node
            or (pod.namespace, app) in self.workloads
            or self.misses(pod)
            or pod.node in self.nodes
            or pod.labels.get("pod-template-hash") in self.revisions
        )

    def misses(self, pod: PodRow) -> bool:
        return (pod.namespace, pod.labels.get("app", "")) in self.misconfigured


class Kubelets:
    """All nodes' kubelets, the scheduler before them and the node controller behind."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.cluster = cluster
        self.ailments = Ailments()
        self.load: Counter[str] = Counter()  # pods by node

    def count_moves(self) -> None:
        for before, after in self.cluster.moved_pods:
            if before != after:
                self.load[before] -= 1
                self.load[after] += 1
        self.cluster.moved_pods.clear()

    # --- pods

    def admit(self, pod: PodRow) -> None:
        """A pod was made; it is looked for a place in a moment."""
        self.cluster.agenda.after(1, lambda: self._schedule(pod))

    def _schedule(self, pod: PodRow) -> None:
        row = self.cluster.pod(pod.uid, pod.key)
        if row is None or row.node:
            return
        self.count_moves()
        node = self._place(row)
        now = self.cluster.agenda.now
        if node is None:
            if not row.conditions:
                self.cluster.put(row, conditions=_UNSCHEDULABLE)
            self.cluster.agenda.after(30, lambda: self._schedule(pod))
            return
        self.cluster.put(row, node=node.name, scheduled_at=now, started_at=now, conditions=())
        self.cluster.agenda.after(self.cluster.random.uniform(5, 15), lambda: self.start(pod.uid, pod.key))

    def _place(self, pod: PodRow) -> NodeRow | None:
        """The emptiest node that takes it, where its like are not, and that nobody is to avoid."""
        mates = Counter(mate.node for mate in self.cluster.store.pods_of(_owner(pod)))
        best, lowest = None, 0
        for node in self.cluster.store.rows(NodeRow).values():
            if node.unschedulable or not node.ready or any(taint.effect[0] == "N" for taint in node.taints):
                continue
            cost = self.load[node.name] + 20 * mates[node.name] + 100 * len(node.taints)
            if self.load[node.name] < 100 and (best is None or cost < lowest):
                best, lowest = node, cost
        return best

    def start(self, uid: str, key: ObjectKey) -> None:
        """Its container starts, and runs well or crashes."""
        pod = self.cluster.pod(uid, key)
        if pod is None or not pod.node or pod.finished or pod.deleted_at is not None:
            return
        if self.cluster.is_silent(pod.node):
            return  # started when the node is back
        now = self.cluster.agenda.now
        restarts = pod.statuses[0].restarts if pod.statuses else 0
        if not self.ailments.has(pod):
            status = replace(pod.statuses[0] if restarts else RUNNING[0], state="running", reason="", ready=True)
            changed = now if not pod.ready else pod.ready_changed_at
            node = self.cluster.node(pod.node)
            serves = node is not None and node.ready
            self.cluster.put(pod, phase="Running", statuses=(status,), ready=serves, ready_changed_at=changed)
            return
        waiting = _misses_a_secret(restarts) if self.ailments.misses(pod) else _crashed(restarts + 1, now)
        changed = now if pod.ready or pod.ready_changed_at is None else pod.ready_changed_at
        self.cluster.put(pod, phase="Running", statuses=(waiting,), ready=False, ready_changed_at=changed)
        pause = min(LONGEST_BACK_OFF, 10 * 2 ** min(restarts, 8)) if waiting.last_reason else 30
        self.cluster.agenda.after(pause, lambda: self.start(uid, key))

    def crash(self, pod: PodRow) -> None:
        """It runs, and its container ends now."""
        self.start(pod.uid, pod.key)

    # --- nodes

    def silence(self, name: str, *, seconds: float = GRACE_SECONDS) -> None:
        """Nothing is heard of the node any more; the control plane says so a little later."""
        if self.cluster.node(name) is None or self.cluster.is_silent(name):
            return
        self.cluster.store.silent[name] = self.cluster.agenda.now
        self.cluster.agenda.after(seconds, lambda: self._call_silent(name))

    def _call_silent(self, name: str) -> None:
        if self.cluster.is_silent(name):
            self.say(name, "Unknown", "NodeStatusUnknown")

    def wake(self, name: str) -> None:
        """The node is heard of again, and has caught up with what was deleted meanwhile."""
        self.cluster.store.silent.pop(name, None)
        node = self.cluster.node(name)
        if node is None:
            return
        self.say(name, "True", "KubeletReady")
        for pod in list(self.cluster.store.pods_on(name)):
            if pod.deleted_at is not None:
                self.cluster.remove(pod)

    def say(self, name: str, ready: str, reason: str) -> None:
        """What the node's Ready is from now on, and what follows from that."""
        node = self.cluster.node(name)
        if node is None:
            return
        now = self.cluster.agenda.now
        keys = {UNREACHABLE, NOT_READY}
        taints = tuple(taint for taint in node.taints if taint.key not in keys)
        if ready != "True":
            key = UNREACHABLE if ready == "Unknown" else NOT_READY
            taints = (*taints, Taint(key=key, effect="NoExecute", added_at=now))
            self.cluster.agenda.after(TOLERATION_SECONDS, lambda: self._expel(name, now))
        self.cluster.put(node, conditions=said(node, "Ready", ready, now, reason), taints=taints)
        for pod in list(self.cluster.store.pods_on(name)):
            if not pod.finished and pod.ready != (ready == "True") and not self.ailments.has(pod):
                self.cluster.put(pod, ready=ready == "True" and bool(pod.statuses), ready_changed_at=now)
            if ready == "True" and not pod.finished and (not pod.statuses or self.ailments.has(pod)):
                self.cluster.agenda.after(5, lambda pod=pod: self.start(pod.uid, pod.key))

    def _expel(self, name: str, since: object) -> None:
        """Pods tolerate it for five minutes; those of DaemonSets for ever."""
        node = self.cluster.node(name)
        condition = node.condition("Ready") if node is not None else None
        if condition is None or condition.status == "True" or condition.changed_at != since:
            return
        for pod in list(self.cluster.store.pods_on(name)):
            if pod.owner is not None and pod.owner.kind != "DaemonSet" and not pod.finished:
                self.cluster.delete(pod)

    def press(self, name: str, type_: str, status: str) -> None:
        """A condition other than Ready."""
        if node := self.cluster.node(name):
            self.cluster.put(node, conditions=said(node, type_, status, self.cluster.agenda.now, "Simulated"))

    def expel_for_pressure(self, name: str, most: int) -> None:
        """The kubelet ends pods itself, and leaves them behind as Failed."""
        for pod in list(self.cluster.store.pods_on(name))[:most]:
            if pod.owner is not None and pod.owner.kind != "DaemonSet" and pod.deleted_at is None and not pod.finished:
                now = self.cluster.agenda.now
                self.cluster.put(
                    pod,
                    phase="Failed",
                    reason="Evicted",
                    message="low on resource",
                    ready=False,
                    ready_changed_at=now,
                    statuses=(),
                )

    def retire(self, name: str) -> None:
        """The autoscaler has removed the machine: its node goes, and its pods with it."""
        self.cluster.store.silent.pop(name, None)
        if node := self.cluster.node(name):
            self.cluster.remove(node)
            for pod in list(self.cluster.store.pods_on(name)):
                self.cluster.remove(pod)


def _crashed(restarts: int, now: datetime) -> ContainerStatus:
    return ContainerStatus(
        name="app",
        state="waiting",
        reason="CrashLoopBackOff",
        restarts=restarts,
        last_reason="Error",
        last_exit_code=1,
        last_started_at=now - timedelta(seconds=2),
        last_finished_at=now,
    )


def _misses_a_secret(restarts: int) -> ContainerStatus:
    reason, message = "CreateContainerConfigError", 'secret "token" not found'
    return ContainerStatus(name="app", state="waiting", reason=reason, message=message, restarts=restarts)


def said(node: NodeRow, type_: str, status: str, now: object, reason: str) -> tuple[Condition, ...]:
    """The node's conditions with one of them changed."""
    return tuple(
        replace(each, status=status, reason=reason, changed_at=now)
        if each.type == type_ and each.status != status
        else each
        for each in node.conditions
    )


def _owner(pod: PodRow) -> ObjectKey:
    owner: OwnerRef | None = pod.owner
    return pod.key if owner is None else ObjectKey(owner.kind, pod.namespace, owner.name)
