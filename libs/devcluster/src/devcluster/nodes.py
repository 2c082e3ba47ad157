"""The nodes of a cluster: spread over zones and pools, run by simulated kubelets."""

from __future__ import annotations

from .api import Api, Object, collection
from .binaries.catalog import KUBERNETES
from .kwokctl import NODE_LABEL
from .settings import Pool, Settings

NODES = collection("v1/nodes")


def scale_nodes(api: Api, settings: Settings) -> list[str]:
    """Makes the cluster have ``settings.nodes`` simulated nodes; their names. Removes the last ones first."""
    wanted = {body["metadata"]["name"]: body for body in nodes(settings)}
    present = {item["metadata"]["name"] for item in api.items(f"{NODES}?labelSelector={NODE_LABEL}")}
    for name in wanted.keys() - present:
        api.create(wanted[name])
    for name in present - wanted.keys():
        api.delete(f"{NODES}/{name}")
    if settings.nodes and settings.controllers:
        api.apply(STORAGE_CLASS)
    return list(wanted)


def nodes(settings: Settings) -> list[Object]:
    """The nodes as objects: zones in turn, pools by their share, the same name at the same place in any size."""
    turns = [pool for pool in settings.pools for _ in range(pool.share)]
    return [
        node(f"{pool.name}-{index:04d}", zone=settings.zones[index % len(settings.zones)], pool=pool)
        for index in range(settings.nodes)
        for pool in [turns[index // len(settings.zones) % len(turns)]]
    ]


def node(name: str, *, zone: str, pool: Pool) -> Object:
    """One node as a kubelet registers it; the figures of what it offers are the pool's."""
    offered = {"cpu": pool.cpu, "memory": pool.memory, "pods": str(pool.pods), "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                NODE_LABEL: "alive",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": f"{pool.name}.{pool.cpu}",
                "topology.kubernetes.io/region": "region-1",
                "topology.kubernetes.io/zone": zone,
                "devcluster/pool": pool.name,
            },
            # metrics-server finds the kubelet at the address and port of the status, the path is here.
            "annotations": {"metrics.k8s.io/resource-metrics-path": f"/metrics/nodes/{name}/metrics/resource"},
        },
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": offered,
            "capacity": offered,
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.2.0",
                "kernelVersion": "6.12.0",
                "kubeProxyVersion": "",
                "kubeletVersion": f"v{KUBERNETES}",
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Linux",
                "systemUUID": "",
            },
        },
    }


STORAGE_CLASS: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "devcluster/volumes",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
}
