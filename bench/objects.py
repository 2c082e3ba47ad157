"""API objects as a real API server writes them: key order, managedFields and all. A Pod is about 9.6 KB of JSON."""

import json
from typing import Any

Json = dict[str, Any]

AT = "2026-01-01T00:00:00Z"
HASH = "7d4b9c5f6d"
PODS_PER_WORKLOAD = 10
WORKLOADS_PER_NAMESPACE = 25
ZONES = ("zone-a", "zone-b", "zone-c")


def pod(i: int, *, nodes: int = 50, ready: bool = True) -> Json:
    namespace, workload = _place(i // PODS_PER_WORKLOAD)
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": f"{workload}-{HASH}-{i:06d}",
            "generateName": f"{workload}-{HASH}-",
            "namespace": namespace,
            "uid": f"5f1c1a52-0000-4000-8000-{i:012d}",
            "resourceVersion": str(100_000 + i),
            "generation": 1,
            "creationTimestamp": AT,
            "labels": {"app": workload, "pod-template-hash": HASH, "tier": f"t{i % 5}"},
            "ownerReferences": [_owner("ReplicaSet", f"{workload}-{HASH}", i // PODS_PER_WORKLOAD)],
            "managedFields": [
                _managed("kube-controller-manager", ("metadata", "spec"), 25),
                _managed("kubelet", ("status",), 20),
            ],
        },
        "spec": {
            "volumes": [
                {
                    "name": "token",
                    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}], "defaultMode": 420},
                }
            ],
            "containers": [_container("app"), _container("proxy")],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "nodeName": f"node-{i % nodes}",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{k}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
                for k in ("not-ready", "unreachable")
            ],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "observedGeneration": 1,
            "phase": "Running",
            "conditions": [
                _condition("PodReadyToStartContainers", True),
                _condition("Initialized", True),
                _condition("Ready", ready),
                _condition("ContainersReady", ready),
                _condition("PodScheduled", True),
            ],
            "hostIP": "10.0.0.1",
            "hostIPs": [{"ip": "10.0.0.1"}],
            "podIP": "10.1.0.1",
            "podIPs": [{"ip": "10.1.0.1"}],
            "startTime": AT,
            "containerStatuses": [_status("app", ready), _status("proxy", True)],
            "qosClass": "Burstable",
        },
    }


def workload(w: int) -> tuple[Json, Json]:
    """The Deployment and the ReplicaSet that own pods 10w to 10w + 9, both complete."""
    namespace, name = _place(w)
    deployment = _controller("Deployment", namespace, name, w)
    replica_set = _controller("ReplicaSet", namespace, f"{name}-{HASH}", w)
    replica_set["metadata"]["ownerReferences"] = [_owner("Deployment", name, w)]
    return deployment, replica_set


def node(i: int) -> Json:
    well = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    name = f"node-{i}"
    zone = {"topology.kubernetes.io/zone": ZONES[i % len(ZONES)], "kubernetes.io/hostname": name}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "uid": f"5f1c1a52-0000-4001-8000-{i:012d}", "creationTimestamp": AT, "labels": zone},
        "spec": {},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": k, "status": v, "lastTransitionTime": AT} for k, v in well.items()],
            "nodeInfo": {"kubeletVersion": "v1.36.3"},
        },
    }


def _place(w: int) -> tuple[str, str]:
    return f"team-{w // WORKLOADS_PER_NAMESPACE:03d}", f"service-{w % WORKLOADS_PER_NAMESPACE:02d}"


def _owner(kind: str, name: str, w: int) -> Json:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": _uid(kind, w)}
    return reference | {"controller": True, "blockOwnerDeletion": True}


def _uid(kind: str, w: int) -> str:
    return f"5f1c1a52-0000-{4002 if kind == 'Deployment' else 4003}-8000-{w:012d}"


def _controller(kind: str, namespace: str, name: str, w: int) -> Json:
    count = PODS_PER_WORKLOAD
    counts = {"replicas": count, "readyReplicas": count, "availableReplicas": count, "updatedReplicas": count}
    return {
        "kind": kind,
        "apiVersion": "apps/v1",
        "metadata": {"name": name, "namespace": namespace, "uid": _uid(kind, w), "creationTimestamp": AT},
        "spec": {"replicas": count, "selector": {"matchLabels": {"app": name.removesuffix(f"-{HASH}")}}},
        "status": counts | {"observedGeneration": 1},
    }


def watch_line(kind: str, item: Json) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"


def _managed(manager: str, roots: tuple[str, ...], fields: int) -> Json:
    owned: Json = {
        f"f:{root}": {
            f'k:{{"name":"{root}-{i}"}}': {".": {}, "f:name": {}, "f:image": {}, "f:resources": {}}
            for i in range(fields // len(roots))
        }
        for root in roots
    }
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": AT,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned,
    }


def _container(name: str) -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10}
    return {
        "name": name,
        "image": f"images.example/shop/{name}:v1.2.3",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i}", "value": "x" * 24} for i in range(10)],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": "/var/run/secrets/tokens"}],
        "livenessProbe": {**probe, "successThreshold": 1, "failureThreshold": 3},
        "readinessProbe": {**probe, "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _condition(type_: str, ok: bool) -> Json:
    return {
        "type": type_,
        "observedGeneration": 1,
        "status": "True" if ok else "False",
        "lastProbeTime": None,
        "lastTransitionTime": AT,
    }


def _status(name: str, ready: bool) -> Json:
    return {
        "name": name,
        "state": {"running": {"startedAt": AT}},
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
        "image": f"images.example/shop/{name}:v1.2.3",
        "imageID": "images.example/shop/app@sha256:" + "a" * 64,
        "containerID": "containerd://" + "b" * 64,
        "started": True,
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/tokens", "readOnly": True}],
    }
