"""Objects as an API server writes them, in JSON: with managed fields, probes, volumes and all that we do not read."""

from copy import deepcopy
from typing import Any

Json = dict[str, Any]

_LABELS = {
    "app.kubernetes.io/name": "checkout",
    "app.kubernetes.io/instance": "checkout-prod",
    "app.kubernetes.io/version": "4.7.1",
    "app.kubernetes.io/part-of": "shop",
    "team": "payments",
    "pod-template-hash": "7d4b9c6f5d",
}


def metadata(name: str, namespace: str = "", **fields: Any) -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {
        "name": name,
        **place,
        "uid": fields.pop("uid", f"6f1c9a52-0000-4000-8000-{abs(hash((name, namespace))) % 10**12:012d}"),
        "resourceVersion": "4711",
        "generation": 1,
        "creationTimestamp": "2026-03-01T11:00:00Z",
        **fields,
    }


def pod_json(name: str = "checkout-7d4b9c6f5d-x2x9z", namespace: str = "shop", **metadata_fields: Any) -> Json:
    """A running pod of two containers, about 9.6 KB."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": name.rsplit("-", 1)[0],
        "uid": "0b7c1d9e-3333-4444-8888-aaaaaaaaaaaa",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    about = {"generateName": "checkout-7d4b9c6f5d-", "labels": _LABELS, "annotations": _ANNOTATIONS}
    about |= {"ownerReferences": [owner], "managedFields": _managed(), **metadata_fields}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata(name, namespace, **about),
        "spec": _pod_spec(),
        "status": _pod_status(),
    }


_ANNOTATIONS = {
    "checksum/config": "5a1f0b7d5b6f0e7a9f2c1d3e4b5a69788796a5b4c3d2e1f00112233445566778",
    "prometheus.io/scrape": "true",
    "prometheus.io/port": "9090",
    "k8s-health-checker/heal": "off",
}


def _container(name: str, cpu: str, memory: str) -> Json:
    probe = {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "initialDelaySeconds": 10,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    reference = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "image": f"registry.example.com/shop/{name}:4.7.1",
        "args": ["--config=/etc/app/config.yaml", "--log-level=info"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i}", "value": f"value-{i}-of-some-length"} for i in range(12)]
        + [{"name": "NAMESPACE", "valueFrom": reference}],
        "resources": {"limits": {"cpu": "1", "memory": memory}, "requests": {"cpu": cpu, "memory": memory}},
        "volumeMounts": [
            {"name": "config", "readOnly": True, "mountPath": "/etc/app"},
            {
                "name": "kube-api-access-7hx2k",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }


def _pod_spec() -> Json:
    tolerate = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    return {
        "volumes": [
            {"name": "config", "configMap": {"name": "checkout-config", "defaultMode": 420}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "checkout-data"}},
            {
                "name": "kube-api-access-7hx2k",
                "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]},
            },
        ],
        "containers": [_container("app", "250m", "512Mi"), _container("proxy", "100m", "128Mi")],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "checkout",
        "serviceAccount": "checkout",
        "nodeName": "ip-10-0-12-34.eu-west-1.compute.internal",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", **tolerate},
            {"key": "node.kubernetes.io/unreachable", **tolerate},
        ],
        "priorityClassName": "production",
        "priority": 1000,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _pod_status() -> Json:
    started = {"running": {"startedAt": "2026-03-01T11:00:05Z"}}
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": [
            {
                "type": kind,
                "observedGeneration": 1,
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": "2026-03-01T11:00:01Z",
            }
            for kind in kinds
        ],
        "hostIP": "10.0.12.34",
        "hostIPs": [{"ip": "10.0.12.34"}],
        "podIP": "10.2.3.4",
        "podIPs": [{"ip": "10.2.3.4"}],
        "startTime": "2026-03-01T11:00:00Z",
        "containerStatuses": [
            {
                "name": name,
                "state": started,
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": f"registry.example.com/shop/{name}:4.7.1",
                "imageID": f"registry.example.com/shop/{name}@sha256:{'ab' * 32}",
                "containerID": f"containerd://{'cd' * 32}",
                "started": True,
                "allocatedResources": {"cpu": "250m", "memory": "512Mi"},
            }
            for name in ("app", "proxy")
        ],
        "qosClass": "Burstable",
    }


def _managed() -> list[Json]:
    fields = {
        f'k:{{"name":"{name}"}}': {
            ".": {},
            "f:args": {},
            "f:env": {".": {}}
            | {f'k:{{"name":"SETTING_{i}"}}': {".": {}, "f:name": {}, "f:value": {}} for i in range(6)},
            "f:image": {},
            "f:resources": {".": {}, "f:limits": {"f:cpu": {}, "f:memory": {}}, "f:requests": {"f:cpu": {}}},
            "f:livenessProbe": {".": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}}, "f:periodSeconds": {}},
        }
        for name in ("app", "proxy")
    }
    entry = {"apiVersion": "v1", "fieldsType": "FieldsV1", "time": "2026-03-01T11:00:01Z", "operation": "Update"}
    spec = {"f:spec": {"f:containers": fields, "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:volumes": {".": {}}}}
    conditions = {
        f'k:{{"type":"{kind}"}}': {".": {}, "f:status": {}, "f:type": {}} for kind in ("Ready", "Initialized")
    }
    status = {"f:status": {"f:conditions": conditions, "f:podIP": {}, "f:phase": {}, "f:startTime": {}}}
    return [
        {**entry, "manager": "kube-controller-manager", "fieldsV1": spec},
        {**entry, "manager": "kubelet", "fieldsV1": status, "subresource": "status"},
    ]


def changed(item: Json, **parts: Any) -> Json:
    """A copy whose named paths ("status.phase", with __ for the dots) hold other values."""
    result = deepcopy(item)
    for path, value in parts.items():
        *parents, last = path.split("__")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return result
