"""A live cluster for tests of what heals it: objects to heal, and a step being applied to one of them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.support.waiting import eventually

from auto_healing.actions.action import Action, Change, Doing
from auto_healing.kube.live import LiveCluster
from auto_healing.plan import Parameters, Step
from common.clock import Clock, SystemClock
from common.cluster.scan import scan_cluster
from common.contracts import ObjectRef
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from devcluster import DevCluster
from devcluster.api import collection

Json = dict[str, Any]
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass
class MemoryStore:
    """What an action has stored, in memory. `known_about` tells at each call what the test wants to know then."""

    evidence: list[tuple[ObjectRef, Mapping[str, Any]]] = field(default_factory=list)
    manifests: list[Mapping[str, Any]] = field(default_factory=list)
    leased: dict[UUID, Change] = field(default_factory=dict)
    released: list[UUID] = field(default_factory=list)

    async def save_evidence(self, ref: ObjectRef, content: Mapping[str, Any]) -> UUID:
        self.evidence.append((ref, content))
        return uuid4()

    async def save_manifest(self, manifest: Mapping[str, Any]) -> UUID:
        self.manifests.append(manifest)
        return uuid4()

    async def lease(self, change: Change) -> UUID:
        for id_, held in self.leased.items():
            if (held.target, held.path) == (change.target, change.path) and id_ not in self.released:
                return id_
        id_ = uuid4()
        self.leased[id_] = change
        return id_

    async def release(self, change: UUID) -> None:
        self.released.append(change)


@dataclass
class Place:
    """One namespace of a real cluster, and the ways to it."""

    cluster: DevCluster
    namespace: str
    api: Api
    live: LiveCluster
    store: MemoryStore = field(default_factory=MemoryStore)

    def objects(self, resource: str) -> list[Json]:
        """All of a kind, such as `objects("v1/pods")`."""
        return self.cluster.api.items(collection(resource, self.namespace))

    def pods(self) -> list[Json]:
        """Those that are not being deleted."""
        return [pod for pod in self.objects("v1/pods") if "deletionTimestamp" not in pod["metadata"]]

    def get(self, kind: str, name: str) -> Json:
        return self.cluster.api.get(self.path(kind, name))

    def path(self, kind: str, name: str) -> str:
        return f"{collection(f'apps/v1/{PLURALS[kind]}', self.namespace)}/{name}"

    def ref(self, kind: str, name: str) -> ObjectRef:
        return ref_of(self.get(kind, name) | {"kind": kind})

    async def ready(self, kind: str, name: str, replicas: int) -> None:
        """Until the workload is complete: every pod of the newest revision, ready, and none besides."""

        async def complete() -> bool:
            found = self.get(kind, name)
            status = found["status"]
            if kind == "DaemonSet":
                counts = [status.get(count) for count in ("numberAvailable", "updatedNumberScheduled")]
            else:
                counts = [status.get(count) for count in ("readyReplicas", "updatedReplicas", "replicas")]
            seen = status.get("observedGeneration") == found["metadata"]["generation"]
            return seen and all(count == replicas for count in counts)

        await eventually(complete)

    async def doing(
        self,
        action: Action,
        target: ObjectRef,
        *,
        run_id: UUID | None = None,
        seconds: float = 180,
        parameters: Parameters | None = None,
        cluster: Any = None,
        clock: Clock | None = None,
        approved: bool = False,
    ) -> Doing:
        """The step about to be applied, with the cluster as it is now."""
        clock = clock or SystemClock()
        step = Step(
            action=action.code, target=target, harm=action.harm, reason="a test wants it", parameters=parameters or {}
        )
        return Doing(
            run_id=run_id or uuid4(),
            number=0,
            step=step,
            cluster=cluster or self.live,
            snapshot=await scan_cluster(self.api, namespace=self.namespace),
            store=self.store,
            clock=clock,
            deadline=clock.now() + timedelta(seconds=seconds),
            approved=approved,
        )


@asynccontextmanager
async def a_place(
    cluster: DevCluster, namespace: str, may_write: Callable[[], bool] = lambda: True
) -> AsyncIterator[Place]:
    async with await connect(KubeSettings(kubeconfig=cluster.kubeconfig)) as api:
        yield Place(cluster, namespace, api, LiveCluster(api, may_write, SystemClock()))


def ref_of(found: Json) -> ObjectRef:
    metadata = found["metadata"]
    return ObjectRef(
        kind=found.get("kind", "Pod"),
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata["uid"],
    )


def a_workload(
    namespace: str,
    kind: str = "Deployment",
    name: str = "web",
    *,
    replicas: int = 1,
    image: str = "web:1",
    pod: Json | None = None,
    **spec: Any,
) -> Json:
    """A workload whose pods start at once. `pod` are further fields of the pods' spec."""
    labels = {"app.kubernetes.io/name": name}
    container = {"name": "app", "image": image, "env": [{"name": "GREETING", "value": "hidden-greeting"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **(pod or {})}}
    counted = {} if kind == "DaemonSet" else {"replicas": replicas}
    served = {"serviceName": name} if kind == "StatefulSet" else {}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **counted, **served, **spec},
    }


def a_budget(namespace: str, name: str = "web", *, app: str = "web", **rule: Any) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": app}}, **(rule or {"minAvailable": 1})},
    }


class Cut(Exception):
    """The process dies here."""


class DyingCluster:
    """A live cluster whose process dies right after its write number `after`."""

    def __init__(self, live: Any, after: int) -> None:
        self._live, self._left = live, after

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._live, name)
        if name not in {"patch", "delete", "evict"}:
            return attribute

        async def write(*arguments: Any, **options: Any) -> Any:
            done = await attribute(*arguments, **options)
            self._left -= 1
            if self._left == 0:
                raise Cut
            return done

        return write
