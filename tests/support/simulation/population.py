"""What a simulated cluster begins with: 100 nodes in three zones and five pools, and 1,000 pods."""

from random import Random

from tests.support.rows import a_daemon_set, a_namespace, a_node, a_pdb, a_stateful_set
from tests.support.simulation.cluster import SimulatedCluster
from tests.support.simulation.controllers import Controllers

from auto_healing.marks import HEAL
from common.cluster.rows import NodeRow, Taint
from common.contracts import ObjectKey

ZONES = ("zone-a", "zone-b", "zone-c")
POOL = "karpenter.sh/nodepool"
SHARES = {"general": 0.6, "memory": 0.22, "batch": 0.1, "edge": 0.04, "lone": 0.01}  # the rest: the control plane
SHOPS = ("shop", "pay", "search", "mail")
SIZES = (2, 3, 3, 4, 4, 5, 6, 8, 10)  # replicas


def populate(cluster: SimulatedCluster, controllers: Controllers, random: Random, *, nodes: int, pods: int) -> None:
    namespaces = {"kube-system": {}, "legacy": {}, "careful": {HEAL: "off"}} | {name: {HEAL: "on"} for name in SHOPS}
    for name, labels in namespaces.items():
        cluster.put(a_namespace(name, labels=labels))
    for number, pool in enumerate(_pools(nodes)):
        add_node(cluster, f"{pool}-{number}", pool, ZONES[number % 3])
    for name in ("kube-proxy",):
        cluster.put(a_daemon_set(name, namespace="kube-system", replicas=0, labels={"app": name}))
    cluster.touched[ObjectKey("DaemonSet", "kube-system", "kube-proxy")] = None
    _workloads(cluster, controllers, random, pods - nodes)


def _pools(nodes: int) -> list[str]:
    pools = [pool for pool, share in SHARES.items() for _ in range(max(1, round(share * nodes)))]
    return ["control-plane"] * max(1, nodes - len(pools)) + pools


def add_node(cluster: SimulatedCluster, name: str, pool: str, zone: str) -> NodeRow:
    control = pool == "control-plane"
    role = {"node-role.kubernetes.io/control-plane": ""} if control else {POOL: pool}
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, HEAL: "on", **role}
    taints = (Taint(key="node-role.kubernetes.io/control-plane", effect="NoSchedule"),) if control else ()
    serial = cluster.serial()
    row = a_node(name, zone=zone, labels=labels, taints=taints, uid=f"node-{serial}", created_at=cluster.agenda.now)
    return cluster.put(row)


def _workloads(cluster: SimulatedCluster, controllers: Controllers, random: Random, pods: int) -> None:
    left, number = pods, 0
    while left > 1:
        replicas = min(left, random.choice(SIZES))
        namespace = random.choice((*SHOPS, *SHOPS, "legacy")) if number % 40 else "careful"
        own = {HEAL: "off"} if number % 25 == 3 else {}
        name = f"app-{number}"
        if number % 9 == 5:
            replicas = min(3, left)
            row = a_stateful_set(
                name,
                namespace=namespace,
                replicas=replicas,
                ready_replicas=0,
                labels={"app": name},
                created_at=cluster.agenda.now,
            )
            key = cluster.put(row).key
            cluster.touched[key] = None
        else:
            key = controllers.deploy(name, namespace, replicas, labels={"app": name, **own}).key
        if number % 2 == 0 and replicas > 1:
            budget = a_pdb(
                name,
                namespace=namespace,
                selector={"app": name},
                min_available="",
                max_unavailable="1",
                disruptions_allowed=0,
                current_healthy=0,
            )
            controllers.guard(name, namespace, key, budget)
        left -= replicas
        number += 1
