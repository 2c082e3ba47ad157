"""A cluster with every fault that the rules of nodes, workloads and volumes know, and how to end them."""

from collections.abc import Sequence

import yaml

from devcluster import DevCluster
from devcluster.api import Object, collection, path_of, wait_for
from devcluster.faults import Injection
from devcluster.workloads import Workload, pods_of, workload_objects

WORKLOADS = (
    *(Workload("shop", name, 2) for name in ("crashing", "pulling", "rolling", "hungry", "scaled")),
    Workload("shop", "store", 2, kind="StatefulSet"),
    Workload("shop", "agent", 0, kind="DaemonSet"),
)
FAULTS = (
    ("crash-loop", "shop/crashing"),
    ("image-pull-error", "shop/pulling"),
    ("bad-rollout", "shop/rolling"),
    ("oom-kill", "shop/hungry"),
    ("failing-probes", "shop/store"),
    ("failing-probes", "shop/agent"),
    ("stuck-pvc", "shop/archive"),
    ("failed-jobs", "shop/report"),
)
# What no fault of devcluster makes: an autoscaler at its limit, a cron job that may make no job, a volume that nothing
# can delete, a claim whose volume is gone.
QUOTA, *OTHERS = yaml.safe_load_all("""
apiVersion: v1
kind: ResourceQuota
metadata: {name: jobs, namespace: full}
spec: {hard: {count/jobs.batch: "0"}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: late, namespace: full}
spec:
  schedule: 0 * * * *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: late}]}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}, minReplicas: 1, maxReplicas: 2}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: orphan}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  persistentVolumeReclaimPolicy: Delete
  nfs: {server: nfs.example, path: /}
  claimRef: {namespace: shop, name: gone, uid: gone}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: lost, namespace: shop, annotations: {pv.kubernetes.io/bind-completed: "yes"}}
spec: {accessModes: [ReadWriteOnce], volumeName: gone, resources: {requests: {storage: 1Gi}}}
""")

ROLLING = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": "rolling"}}


def furnish(cluster: DevCluster) -> None:
    """A shop in which nothing is wrong; returns when all of it runs."""
    for namespace in ("shop", "full"):
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for workload in WORKLOADS:
        for body in workload_objects(workload, 2):
            cluster.api.create(body)
    wait_for("the shop", lambda: all(_runs(cluster, workload) for workload in WORKLOADS))


def _runs(cluster: DevCluster, workload: Workload) -> bool:
    pods = pods_of(cluster.api, f"{workload.namespace}/{workload.name}")
    return bool(pods) and all(pod["status"]["phase"] == "Running" for pod in pods)


class Faults:
    """Every one of them, on and off. The nodes that are dark, not ready and short of disk are three."""

    def __init__(self, cluster: DevCluster) -> None:
        self._api = cluster.api
        nodes = [each["metadata"]["name"] for each in cluster.api.items(collection("v1/nodes"))]
        self.dark = str(pods_of(cluster.api, "shop/scaled")[0]["spec"]["nodeName"])
        self.not_ready, self.pressed = [each for each in nodes if each != self.dark][:2]
        of_nodes = (("node-dark", self.dark), ("node-not-ready", self.not_ready), ("disk-pressure", self.pressed))
        self._injections: Sequence[Injection] = [cluster.fault(*each) for each in (*FAULTS, *of_nodes)]

    def on(self) -> None:
        for each in self._injections:
            each.on()
        self._api.patch(path_of(ROLLING), {"spec": {"progressDeadlineSeconds": 5}})
        self._api.create(QUOTA)
        wait_for("the quota", lambda: self._quota().get("status", {}).get("hard"))
        for body in OTHERS:
            self._api.create(body)
        late = path_of(OTHERS[0])
        self._api.patch(f"{late}/status", {"status": {"lastScheduleTime": "2020-01-01T00:00:00Z"}})

    def _quota(self) -> Object:
        return self._api.get(path_of(QUOTA))

    def off(self) -> None:
        for each in self._injections:
            each.off()
        for body in OTHERS:
            self._api.delete(path_of(body), {"propagationPolicy": "Background"})
