"""API objects as a real API server writes them: key order, managedFields and all. A Pod is about 9.6 KB of JSON."""

import json
from typing import Any

Json = dict[str, Any]

AT = "2026-01-01T00:00:00Z"


def pod(i: int, *, nodes: int = 50, ready: bool = True) -> Json:
    name = f"checkout-7d4b9c5f6d-{i:05d}"
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "generateName": "checkout-7d4b9c5f6d-",
            "namespace": f"team-{i % 40}",
            "uid": f"5f1c1a52-0000-4000-8000-{i:012d}",
            "resourceVersion": str(100_000 + i),
            "generation": 1,
            "creationTimestamp": AT,
            "labels": {"app": "checkout", "pod-template-hash": "7d4b9c5f6d", "tier": f"t{i % 5}"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "checkout-7d4b9c5f6d",
                    "uid": "5f1c1a52-0000-4000-9000-000000000000",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
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


def watch_line(kind: str, item: Json) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"


def _managed(manager: str, roots: tuple[str, ...], fields: int) -> Json:
    owned = {
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
