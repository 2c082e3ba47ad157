"""Small clusters for tests of placement: pods of one ReplicaSet that look for a node."""

from typing import Any

from tests.support.clock import NOON
from tests.support.rows import a_node, a_pod, a_replica_set, owned_by

from auto_healing.placement import Placements
from auto_healing.plan import Displacement
from common.cluster.rows import NodeRow, PodRow, PodTerm, Resources, Scheduling, Selector, Spread, Taint
from common.cluster.snapshot import ClusterSnapshot

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
OWNER = a_replica_set()
GONE = frozenset({"old"})  # the node that pods are taken from


def amount(cpu: int = 0, memory: int = 0, **others: int) -> Resources:
    """Millicores and MiB."""
    return Resources(cpu_millicores=cpu, memory_bytes=memory << 20, **({"pods": 1} | others))


def room(cpu: int = 1000, memory: int = 1024, pods: int = 10) -> Resources:
    return amount(cpu, memory, pods=pods)


def node(name: str, *, zone: str = "zone-a", **overrides: Any) -> NodeRow:
    labels = {HOST: name, **({ZONE: zone} if zone else {}), **overrides.pop("labels", {})}
    return a_node(name, labels=labels, **({"allocatable": room()} | overrides))


def pod(name: str, on: str = "old", *, scheduling: Scheduling | None = None, **overrides: Any) -> PodRow:
    """Asks for 100 millicores and 100 MiB."""
    usual = {"owner": owned_by(OWNER), "requests": amount(100, 100), "scheduling": scheduling or Scheduling()}
    return a_pod(name, node=on, **(usual | overrides))


def taint(key: str = "dedicated", value: str = "gpu", effect: str = "NoSchedule") -> Taint:
    return Taint(key=key, value=value, effect=effect)


def term(key: str = HOST, *, app: str = "checkout", **overrides: Any) -> PodTerm:
    return PodTerm(topology_key=key, selector=Selector(labels={"app": app}), **overrides)


def spread(key: str = ZONE, **overrides: Any) -> Spread:
    return Spread(topology_key=key, selector=Selector(labels={"app": "checkout"}), **overrides)


def displaced(
    snapshot: ClusterSnapshot, *names: str, without: frozenset[str] = GONE, **how: Any
) -> tuple[Displacement, ...]:
    """What becomes of the pods of that name, or of all on the node `old`."""
    pods = [each for each in snapshot.pods_in("shop") if each.name in names or (not names and each.node == "old")]
    pods.sort(key=lambda each: names.index(each.name) if names else each.name)
    return Placements(snapshot, NOON).displace(pods, without_nodes=without, **how)
