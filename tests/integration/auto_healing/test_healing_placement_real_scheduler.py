"""The model of the scheduler beside the real one: pods of many kinds, each asked of both."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.clock import NOON
from tests.support.following import following, kinds, until

from auto_healing.placement import Placements
from auto_healing.plan import Displacement
from common.cluster.rows import NodeRow, OwnerRef, PersistentVolumeClaimRow, PodRow
from common.cluster.store import Store
from common.cluster.watch import ClusterWatch
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from devcluster import DevCluster, Pool, Settings

pytestmark = pytest.mark.cluster

Json = dict[str, Any]

SMALL = Settings(nodes=7, node_grace_seconds=120, pools=(Pool("general", cpu="2", memory="2Gi", pods=8),))
WATCHED = kinds("Node", "Namespace", "Pod", "PersistentVolume", "PersistentVolumeClaim")
NAMESPACE = "placement"
PODS = 60
SEED = 20_260_301
GATE = {"name": "example.com/wait"}
ZONES = ("zone-a", "zone-b", "zone-c")
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


@pytest.fixture
async def api(private_cluster: DevCluster) -> AsyncIterator[Api]:
    async with await connect(KubeSettings(kubeconfig=private_cluster.kubeconfig)) as api:
        yield api


class Variety:
    """Pods that ask for this and that, the same at every run."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def pod(self, number: int) -> Json:
        chance = self._random.random
        spec: Json = {"containers": [self._container()], "schedulingGates": [GATE], "affinity": {}}
        app = self._random.choice("abc")
        if chance() < 0.4:
            spec["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
        if chance() < 0.1:
            spec["tolerations"] = [{"operator": "Exists"}]
        if chance() < 0.2:
            spec["nodeSelector"] = {ZONE: self._random.choice(ZONES)}
        if chance() < 0.2:
            spec["affinity"]["nodeAffinity"] = self._node_affinity()
        if chance() < 0.2:
            spec["affinity"]["podAntiAffinity"] = self._terms(self._random.choice("abc"))
        if chance() < 0.15:
            spec["affinity"]["podAffinity"] = self._terms(self._random.choice("abc"))
        if chance() < 0.3:
            spec["topologySpreadConstraints"] = [self._spread(app)]
        if chance() < 0.25:
            claim = self._random.choice([*ZONES, "only-one-pod", "missing"])
            spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        return {"metadata": {"name": f"p{number:03d}", "labels": {"app": app}}, "spec": spec}

    def _container(self) -> Json:
        asked = {
            "cpu": f"{self._random.choice([0, 50, 100, 900])}m",
            "memory": f"{self._random.choice([0, 64, 700])}Mi",
        }
        ports = [{"containerPort": 9100, "hostPort": 9100}] if self._random.random() < 0.15 else []
        return {"name": "app", "image": "example/app:1", "resources": {"requests": asked}, "ports": ports}

    def _node_affinity(self) -> Json:
        expression = self._random.choice(
            [
                {"key": "cores", "operator": "Gt", "values": ["4"]},
                {"key": "cores", "operator": "Exists"},
                {"key": ZONE, "operator": "NotIn", "values": ["zone-a"]},
            ]
        )
        terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
        return {"requiredDuringSchedulingIgnoredDuringExecution": terms}

    def _terms(self, app: str) -> Json:
        term = {"topologyKey": self._random.choice([ZONE, HOST]), "labelSelector": {"matchLabels": {"app": app}}}
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}

    def _spread(self, app: str) -> Json:
        return {
            "maxSkew": self._random.choice([1, 2]),
            "topologyKey": self._random.choice([ZONE, HOST]),
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": app}},
            "nodeTaintsPolicy": self._random.choice(["Honor", "Ignore"]),
        }


async def prepared(cluster: DevCluster, api: Api) -> None:
    """Nodes that differ, and volumes of the zones."""
    names = sorted(item["metadata"]["name"] for item in cluster.api.items("/api/v1/nodes"))
    changes: list[Json] = [
        {"metadata": {"labels": {"cores": "8"}}},
        {"metadata": {"labels": {"cores": "2"}}},
        {"spec": {"taints": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]}},
        {"spec": {"unschedulable": True}},
    ]
    for name, change in zip(names, changes, strict=False):
        cluster.api.patch(f"/api/v1/nodes/{name}", change)
    await api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for claim in (*ZONES, "only-one-pod"):
        await _volume(api, claim)


async def _volume(api: Api, name: str) -> None:
    mode = "ReadWriteOncePod" if name == "only-one-pod" else "ReadWriteMany"
    zone = "zone-a" if name == "only-one-pod" else name
    expression = {"key": ZONE, "operator": "In", "values": [zone]}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": [mode], "storageClassName": "by-hand"}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    driver = {"driver": "example.com", "volumeHandle": name}
    volume = {"metadata": {"name": name}, "spec": spec | {"csi": driver, "nodeAffinity": affinity}}
    await api.post("/api/v1/persistentvolumes", volume)
    asked = {"accessModes": [mode], "storageClassName": "by-hand", "volumeName": name}
    claim = {"metadata": {"name": name}, "spec": asked | {"resources": {"requests": {"storage": "1Gi"}}}}
    await api.post(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims", claim)


def ready(store: Store) -> bool:
    nodes, claims = store.rows(NodeRow).values(), store.rows(PersistentVolumeClaimRow).values()
    well = all(node.ready and not any("not-ready" in taint.key for taint in node.taints) for node in nodes)
    cordoned = sum(any("unschedulable" in taint.key for taint in node.taints) for node in nodes)
    return len(nodes) == SMALL.nodes and well and cordoned == 1 and [c.phase for c in claims] == ["Bound"] * 4


class Trial:
    """One pod, held by its gate until the model has said what it thinks."""

    def __init__(self, api: Api, watch: ClusterWatch, name: str) -> None:
        self._api = api
        self._store = watch.store
        self._name = name
        self._path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}"

    def row(self) -> PodRow | None:
        return self._store.get(PodRow, self._name, NAMESPACE)

    def model(self) -> tuple[set[str], Displacement]:
        """Nodes that it would allow, and what it would do."""
        row = self.row()
        assert row is not None
        owner = OwnerRef(kind="ReplicaSet", name="any", uid="any")  # so that it is made again
        row = replace(row, scheduling=replace(row.scheduling, gates=()), owner=owner)
        placements = Placements(self._store, NOON)
        nodes = self._store.rows(NodeRow).values()
        allowed = {node.name for node in nodes if not placements.refusal(row, node)}
        (planned,) = placements.displace([row])
        return allowed, planned

    async def real(self) -> tuple[str, str]:
        """The node that the scheduler chose, or what it says."""
        await self._api.patch(self._path, {"spec": {"schedulingGates": []}})
        await until(lambda: bool(self._said()))
        row = self.row()
        assert row is not None
        return row.node, "" if row.node else self._said()

    def _said(self) -> str:
        row = self.row()
        if row is None:
            return ""
        condition = row.condition("PodScheduled")
        refused = condition is not None and condition.reason == "Unschedulable"
        return row.node or (condition.message if condition and refused else "")

    async def leave(self) -> None:
        await self._api.delete(self._path, {"gracePeriodSeconds": 0})
        await until(lambda: self.row() is None)


def words(message: str) -> Counter[str]:
    """What a FailedScheduling message counts, reason by reason. The model names the taint, the scheduler does not."""
    told = message.partition("available: ")[2].split(". ")[0].rstrip(".")
    parts = re.split(r", (?=\d+ )", re.sub(r"taint\(s\)|taint \{[^}]*\}", "taint", told))
    counts: Counter[str] = Counter()
    for part in parts:
        number, _, why = part.partition(" ")
        counts[why if number.isdigit() else part] += int(number) if number.isdigit() else 1
    return counts


@pytest.mark.parametrize("private_cluster", [SMALL], indirect=True)
async def test_the_model_and_the_real_scheduler_agree_about_every_pod(private_cluster: DevCluster, api: Api) -> None:
    await prepared(private_cluster, api)
    variety = Variety(Random(SEED))
    outcomes: Counter[str] = Counter()
    async with following(api, WATCHED) as watch:
        await until(watch.synced.is_set)
        await until(lambda: ready(watch.store))
        for number in range(PODS):
            body = variety.pod(number)
            await api.post(f"/api/v1/namespaces/{NAMESPACE}/pods", body)
            trial = Trial(api, watch, body["metadata"]["name"])
            await until(lambda trial=trial: trial.row() is not None)
            allowed, planned = trial.model()
            node, message = await trial.real()
            assert (node in allowed) if node else not allowed, (body, node, message, planned)
            assert planned.to_node in (allowed or {""})
            if not node:
                assert words(planned.reason) == words(message), body
                await trial.leave()
            outcomes["placed" if node else "refused"] += 1
    assert min(outcomes["placed"], outcomes["refused"]) > PODS / 4, outcomes
