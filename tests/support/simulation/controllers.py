"""Controllers of a simulated cluster: Deployments, StatefulSets, DaemonSets and disruption budgets."""

from datetime import timedelta
from typing import Any

from tests.support.rows import a_condition, a_container, a_deployment, a_pod, a_replica_set, owned_by
from tests.support.simulation.cluster import SimulatedCluster, serving
from tests.support.simulation.kubelets import Kubelets
from tests.support.simulation.rolling import Deployment, counts, pace

from common.cluster.rows import (
    DaemonSetRow,
    DeploymentRow,
    NodeRow,
    PodDisruptionBudgetRow,
    PodRow,
    ReplicaSetRow,
    Row,
    StatefulSetRow,
)
from common.contracts import ObjectKey

DEADLINE = timedelta(seconds=600)
HASH = "pod-template-hash"
CONTAINERS = (a_container(),)
_EMPTY: dict[str, Any] = {
    "node": "",
    "phase": "Pending",
    "ready": False,
    "ready_changed_at": None,
    "started_at": None,
    "scheduled_at": None,
    "statuses": (),
    "containers": CONTAINERS,
}


class Controllers:
    """Reconciles what `touched` names, until nothing changes any more."""

    def __init__(self, cluster: SimulatedCluster, kubelets: Kubelets) -> None:
        self.cluster = cluster
        self.kubelets = kubelets
        self.deployments: dict[ObjectKey, Deployment] = {}
        self._of_replica_set: dict[ObjectKey, Deployment] = {}
        self._budgets: dict[ObjectKey, list[ObjectKey]] = {}

    # --- what people do

    def deploy(self, name: str, namespace: str, replicas: int, **overrides: Any) -> Deployment:
        labels = {"app": name}
        now = self.cluster.agenda.now
        fields = {"namespace": namespace, "labels": labels, "replicas": replicas, "created_at": now, "revision": "0"}
        row = self.cluster.put(a_deployment(name, **(fields | counts(0) | overrides)))
        made = self.deployments[row.key] = Deployment(row.key, labels)
        self.roll_out(row.key)
        return made

    def guard(self, name: str, namespace: str, of: ObjectKey, row: PodDisruptionBudgetRow) -> None:
        budget = self.cluster.put(row)
        self._budgets.setdefault(of, []).append(budget.key)

    def roll_out(self, key: ObjectKey, revision: str = "", **fields: Any) -> str:
        """A new template, or an old one again; its hash."""
        own, row = self.deployments[key], self.cluster.store.get(DeploymentRow, key.name, key.namespace)
        assert row is not None
        revision = revision or f"{self.cluster.serial():06d}"
        number = str(int(row.revision) + 1)
        own.wanted = {each: own.wanted[each] for each in own.wanted if each != revision} | {
            revision: own.wanted.get(revision, 0)
        }
        own.rolling, own.progressed_at, own.progress = True, self.cluster.agenda.now, (0, 0)
        row = self.cluster.put(row, revision=number, **fields)
        name = own.replica_set(revision)
        before = self.cluster.store.get(ReplicaSetRow, name, key.namespace)
        if before is None:
            before = a_replica_set(
                name,
                replicas=0,
                namespace=key.namespace,
                owner=owned_by(row),
                labels=own.labels | {HASH: revision},
                created_at=self.cluster.agenda.now,
                uid=f"rs-{self.cluster.serial()}",
            )
        replica_set = self.cluster.put(before, revision=number)
        self._of_replica_set[replica_set.key] = own
        self.cluster.touched[key] = None
        self.cluster.agenda.after(DEADLINE.total_seconds() + 1, lambda: self.cluster.touched.setdefault(key))
        self._forget_old(own)
        return revision

    def _forget_old(self, own: Deployment) -> None:
        """revisionHistoryLimit."""
        for revision in [each for each, wanted in own.wanted.items() if not wanted][:-4]:
            if revision != own.newest and not own.wanted[revision]:
                row = self.cluster.store.get(ReplicaSetRow, own.replica_set(revision), own.key.namespace)
                if row is not None:
                    self.cluster.remove(row)
                    self._of_replica_set.pop(row.key, None)
                del own.wanted[revision]

    # --- what controllers do

    def settle(self) -> None:
        for _ in range(50):
            touched, self.cluster.touched = self.cluster.touched, {}
            if not touched:
                break
            for key in {self._top(key): None for key in touched}:
                self._reconcile(key)
        self.kubelets.count_moves()

    def _top(self, key: ObjectKey) -> ObjectKey:
        own = self._of_replica_set.get(key)
        return key if own is None else own.key

    def _reconcile(self, key: ObjectKey) -> None:
        if key in self.deployments:
            self._deployment(self.deployments[key])
        elif key.kind == "StatefulSet":
            self._stateful_set(key)
        elif key.kind == "DaemonSet":
            self._daemon_set(key)
        for budget in self._budgets.get(key, ()):
            self._budget(budget, key)

    def _deployment(self, own: Deployment) -> None:
        row = self.cluster.store.get(DeploymentRow, own.key.name, own.key.namespace)
        if row is None:
            return
        pods: dict[str, list[PodRow]] = {revision: [] for revision in own.wanted}
        for pod in serving(self.cluster.store.pods_of(own.key)):
            pods.setdefault(pod.labels[HASH], []).append(pod)
        if not row.paused:
            pace(own, row, pods)
        for revision, wanted in list(own.wanted.items()):
            self._replica_set(own, revision, wanted, pods[revision])
        self._status(own, row)

    def _replica_set(self, own: Deployment, revision: str, wanted: int, pods: list[PodRow]) -> None:
        row = self.cluster.store.get(ReplicaSetRow, own.replica_set(revision), own.key.namespace)
        if row is None:
            return
        for _ in range(wanted - len(pods)):
            self._make(f"{row.name}-{self.cluster.serial():x}", row, own.labels | {HASH: revision})
        for pod in sorted(pods, key=lambda pod: (pod.ready, pod.uid))[: max(0, len(pods) - wanted)]:
            self.cluster.delete(pod)
        ready = sum(1 for pod in pods if pod.ready and pod.deleted_at is None)
        self._update(row, replicas=wanted, **counts(ready, current=wanted, updated=wanted))

    def _make(self, name: str, owner: Row, labels: dict[str, str], **fields: Any) -> None:
        now = self.cluster.agenda.now
        pod = a_pod(
            name,
            namespace=owner.namespace,
            owner=owned_by(owner),
            labels=labels,
            created_at=now,
            uid=f"pod-{self.cluster.serial()}",
            **(_EMPTY | fields),
        )
        self.kubelets.admit(self.cluster.put(pod))

    def _status(self, own: Deployment, row: DeploymentRow) -> None:
        pods = serving(self.cluster.store.pods_of(own.key))
        new = [pod for pod in pods if pod.labels[HASH] == own.newest]
        ready, progress = sum(pod.ready for pod in pods), (len(new), sum(pod.ready for pod in new))
        if progress != own.progress:
            own.progress, own.progressed_at = progress, self.cluster.agenda.now
            if own.rolling:
                self.cluster.agenda.after(
                    DEADLINE.total_seconds() + 1, lambda: self.cluster.touched.setdefault(own.key)
                )
        if len(new) >= row.replicas == len(pods) and ready >= row.replicas:
            own.rolling = False
        self._update(
            row,
            **counts(ready, current=len(pods), updated=len(new)),
            conditions=self._conditions(own, row, available=ready >= row.replicas - row.replicas // 4),
        )

    def _conditions(self, own: Deployment, row: DeploymentRow, *, available: bool) -> tuple[Any, ...]:
        late = own.progressed_at is not None and self.cluster.agenda.now - own.progressed_at >= DEADLINE
        status, reason = "True", "NewReplicaSetAvailable"
        if row.paused:
            status, reason = "Unknown", "DeploymentPaused"
        elif own.rolling:
            status, reason = ("False", "ProgressDeadlineExceeded") if late else ("True", "ReplicaSetUpdated")
        now = self.cluster.agenda.now
        made = (
            a_condition("Available", "True" if available else "False", reason="Simulated", changed_at=now),
            a_condition("Progressing", status, reason=reason, changed_at=now),
        )
        known = {(each.type, each.status): each for each in row.conditions}
        return tuple(
            before if (before := known.get((each.type, each.status))) and before.reason == each.reason else each
            for each in made
        )

    def _stateful_set(self, key: ObjectKey) -> None:
        row = self.cluster.store.get(StatefulSetRow, key.name, key.namespace)
        if row is None:
            return
        pods = {pod.name: pod for pod in self.cluster.store.pods_of(key)}
        for pod in list(pods.values()):
            if pod.finished:
                self.cluster.remove(pod)
                del pods[pod.name]
        for number in range(row.replicas):
            if f"{key.name}-{number}" not in pods:
                labels = {"app": key.name, "controller-revision-hash": row.revision}
                self._make(f"{key.name}-{number}", row, labels)
                break
            if not pods[f"{key.name}-{number}"].ready:
                break  # OrderedReady
        ready = sum(pod.ready and pod.deleted_at is None for pod in pods.values())
        self._update(row, **counts(ready, current=len(pods), updated=row.replicas))

    def _daemon_set(self, key: ObjectKey) -> None:
        row = self.cluster.store.get(DaemonSetRow, key.name, key.namespace)
        if row is None:
            return
        nodes = self.cluster.store.rows(NodeRow)
        there = {pod.node for pod in self.cluster.store.pods_of(key) if not pod.finished}
        for node in nodes.values():
            if node.name not in there:
                now = self.cluster.agenda.now
                self._make(
                    f"{key.name}-{self.cluster.serial():x}",
                    row,
                    {"app": key.name},
                    node=node.name,
                    phase="Running",
                    ready=node.ready,
                    ready_changed_at=now,
                    started_at=now,
                    scheduled_at=now,
                    statuses=a_pod().statuses,
                    priority_class="system-node-critical",
                )
        ready = sum(pod.ready for pod in self.cluster.store.pods_of(key))
        self._update(row, replicas=len(nodes), **counts(ready, current=len(nodes), updated=len(nodes)))

    def _budget(self, key: ObjectKey, of: ObjectKey) -> None:
        row = self.cluster.store.get(PodDisruptionBudgetRow, key.name, key.namespace)
        workload: Any = self.cluster.store.find(of)
        if row is None or workload is None:
            return
        healthy = sum(pod.ready for pod in serving(self.cluster.store.pods_of(of)))
        wanted = max(0, workload.replicas - int(row.max_unavailable))
        self._update(
            row,
            current_healthy=healthy,
            desired_healthy=wanted,
            expected_pods=workload.replicas,
            disruptions_allowed=max(0, healthy - wanted),
        )

    def _update(self, row: Row, **fields: Any) -> None:
        if any(getattr(row, name) != value for name, value in fields.items()):
            self.cluster.put(row, **fields)
