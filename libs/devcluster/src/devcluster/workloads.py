"""Workloads of a shop: every kind that owns pods, with budgets, autoscalers, services and volumes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .api import MERGE_PATCH, Api, Object, collection

USAGE_CPU, USAGE_MEMORY = "kwok.x-k8s.io/usage-cpu", "kwok.x-k8s.io/usage-memory"


@dataclass(frozen=True, slots=True)
class Workload:
    """One long-running workload. ``cpu`` (millicores) and ``memory`` (MiB) are asked for; half of them is used."""

    namespace: str
    name: str
    replicas: int
    kind: str = "Deployment"
    cpu: int = 100
    memory: int = 128
    autoscaled: bool = False


def _team(namespace: str, **replicas: int) -> tuple[Workload, ...]:
    return tuple(Workload(namespace, name.replace("_", "-"), count) for name, count in replicas.items())


WORKLOADS = (
    Workload("shop", "storefront", 6, autoscaled=True, cpu=200, memory=256),
    Workload("shop", "checkout", 4, cpu=200, memory=256),
    *_team("shop", cart=4, pricing=3, promotions=2, reviews=2, recommendations=3, wishlist=2, gift_cards=1),
    Workload("shop", "cart-store", 3, kind="StatefulSet", cpu=250, memory=512),
    Workload("catalog", "catalog", 4, autoscaled=True),
    *_team("catalog", search=3, images=3, inventory=3, importer=1),
    Workload("catalog", "search-index", 3, kind="StatefulSet", cpu=500, memory=1024),
    *_team("payments", payments_api=3, fraud_check=2, invoices=2, refunds=2, currency=2),
    Workload("payments", "ledger", 3, kind="StatefulSet", cpu=250, memory=512),
    *_team("logistics", shipping=3, tracking=3, warehouse=2, labels=2, returns=2),
    Workload("logistics", "route-planner", 2, cpu=500, memory=512),
    *_team("accounts", login=4, profiles=3, sessions=3, consent=2, loyalty=2),
    Workload("accounts", "users", 3, kind="StatefulSet", cpu=250, memory=512),
    *_team("platform", ingress=3, mail=1, notifications=2, feature_flags=2, exports=1),
    Workload("platform", "queue", 3, kind="StatefulSet", cpu=250, memory=512),
    Workload("platform", "node-agent", 0, kind="DaemonSet", cpu=50, memory=64),
    Workload("platform", "log-shipper", 0, kind="DaemonSet", cpu=50, memory=64),
)
BATCH = (("payments", "settlement"), ("catalog", "reindex"), ("accounts", "cleanup"))


def replicas(pods: int, nodes: int) -> dict[str, int]:
    """How many of each workload ("namespace/name") make about ``pods`` pods: Deployments grow, the rest does not."""
    sizes = {f"{w.namespace}/{w.name}": nodes if w.kind == "DaemonSet" else w.replicas for w in WORKLOADS}
    scalable = {f"{w.namespace}/{w.name}" for w in WORKLOADS if w.kind == "Deployment"}
    fixed = sum(size for name, size in sizes.items() if name not in scalable)
    factor = max(0.0, (pods - fixed) / sum(sizes[name] for name in scalable))
    return {name: max(1, round(size * factor)) if name in scalable else size for name, size in sizes.items()}


def deploy(api: Api, *, pods: int, nodes: int) -> None:
    """Makes the shop, or changes its size, to about ``pods`` pods on so many nodes; does not wait for them."""
    namespaces = dict.fromkeys(workload.namespace for workload in WORKLOADS)
    sizes = replicas(pods, nodes)
    bodies = [
        body
        for workload in WORKLOADS
        for body in workload_objects(workload, sizes[f"{workload.namespace}/{workload.name}"])
    ]
    bodies += [body for namespace, name in BATCH for body in batch_objects(namespace, name)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(api.apply, [_object("v1", "Namespace", None, name) for name in namespaces]))
        list(pool.map(api.apply, bodies))


def workload_objects(workload: Workload, replicas: int) -> list[Object]:
    """A workload with its Service, a disruption budget where it has several pods, and its autoscaler."""
    namespace, name = workload.namespace, workload.name
    selector = {"app.kubernetes.io/name": name}
    spec: Object = {"selector": {"matchLabels": selector}, "template": _template(workload)}
    if workload.kind == "StatefulSet":
        spec |= {"serviceName": name, "podManagementPolicy": "Parallel", "volumeClaimTemplates": [_claim()]}
    bodies = [_object("v1", "Service", namespace, name, {"selector": selector, "ports": [{"port": 80}]})]
    if workload.kind != "DaemonSet":
        spec["replicas"] = replicas
        if replicas > 1:
            rule = {"maxUnavailable": "34%", "selector": {"matchLabels": selector}}
            bodies.append(_object("policy/v1", "PodDisruptionBudget", namespace, name, rule))
    if workload.autoscaled:
        bodies.append(autoscaler(workload, replicas))
    return [_object("apps/v1", workload.kind, namespace, name, spec), *bodies]


def autoscaler(workload: Workload, replicas: int) -> Object:
    """Between the given replicas and twice as many, by the CPU really used against 70 % of the requests."""
    target = {"type": "Utilization", "averageUtilization": 70}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": workload.kind, "name": workload.name},
        "minReplicas": replicas,
        "maxReplicas": replicas * 2,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", workload.namespace, workload.name, spec)


def batch_objects(namespace: str, name: str) -> list[Object]:
    """A Job that has run, and a CronJob that runs it every five minutes."""
    template = _template(Workload(namespace, name, 1))
    template["spec"]["restartPolicy"] = "Never"
    job: Object = {"backoffLimit": 2, "completions": 2, "parallelism": 2, "template": template}
    history = {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 3}
    cron: Object = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job}, **history}
    return [
        _object("batch/v1", "Job", namespace, f"{name}-initial", job),
        _object("batch/v1", "CronJob", namespace, name, cron),
    ]


def set_usage(api: Api, target: str, *, cpu: str | None = None, memory: str | None = None) -> int:
    """Makes the pods of ``namespace/name`` use so much CPU ("250m") and memory ("300Mi"); how many pods there are.

    New pods of the workload use what its template says, so an autoscaler that adds pods lowers the average.
    """
    annotations = {USAGE_CPU: cpu, USAGE_MEMORY: memory}
    given = {name: value for name, value in annotations.items() if value is not None}
    pods = pods_of(api, target)
    for pod in pods:
        name = pod["metadata"]["name"]
        path = f"{collection('v1/pods', pod['metadata']['namespace'])}/{name}"
        api.patch(path, {"metadata": {"annotations": given}}, MERGE_PATCH)
    return len(pods)


def pods_of(api: Api, target: str) -> list[Object]:
    """The live pods of the workload ``namespace/name``, or the one pod of that name."""
    namespace, _, name = target.partition("/")
    path = collection("v1/pods", namespace)
    pods = api.items(f"{path}?labelSelector=app.kubernetes.io/name={name}")
    pods = pods or [pod for pod in api.items(path) if pod["metadata"]["name"] == name]
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def _template(workload: Workload) -> dict[str, Any]:
    amounts = {"cpu": f"{workload.cpu}m", "memory": f"{workload.memory}Mi"}
    container: Object = {
        "name": "main",
        "image": f"registry.example/{workload.namespace}/{workload.name}:1.0.0",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": amounts, "limits": {"memory": f"{workload.memory * 2}Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 80}},
    }
    if workload.kind == "StatefulSet":
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return {
        "metadata": {
            "labels": {"app.kubernetes.io/name": workload.name},
            "annotations": {USAGE_CPU: f"{workload.cpu // 2}m", USAGE_MEMORY: f"{workload.memory // 2}Mi"},
        },
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 30},
    }


def _claim() -> Object:
    size = {"requests": {"storage": "10Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "resources": size}
    return {"metadata": {"name": "data"}, "spec": spec}


def _object(api_version: str, kind: str, namespace: str | None, name: str, spec: Object | None = None) -> Object:
    metadata: Object = {"name": name, "labels": {"app.kubernetes.io/name": name}}
    if namespace:
        metadata["namespace"] = namespace
    body: Object = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    return body | ({"spec": spec} if spec is not None else {})
