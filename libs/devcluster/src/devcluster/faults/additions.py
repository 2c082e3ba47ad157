"""Faults that are objects of their own: something that can never be placed, done or bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..api import Object, path_of
from .switch import LABEL, Switches

if TYPE_CHECKING:
    from ..cluster import DevCluster


def objects(default: str, make: Callable[[str, str], list[Object]]) -> Switches:
    """Switches of a fault that consists of objects of its own, named after the target."""

    def bodies(target: str | None) -> list[Object]:
        namespace, _, name = (target or default).partition("/")
        return make(namespace, name)

    def on(cluster: DevCluster, target: str | None) -> None:
        for body in bodies(target):
            cluster.api.create(body)

    def off(cluster: DevCluster, target: str | None) -> None:
        for body in bodies(target):
            cluster.api.delete(path_of(body), {"propagationPolicy": "Background"})

    return on, off


def _pod_template(name: str, **spec: object) -> Object:
    container: Object = {"name": "main", "image": f"registry.example/{name}:1.0.0"}
    container |= {key: spec.pop(key) for key in ("resources", "volumeMounts") if key in spec}
    labels = {"app.kubernetes.io/name": name}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}


def _deployment(namespace: str, name: str, template: Object, replicas: int) -> Object:
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def too_big(namespace: str, name: str) -> list[Object]:
    template = _pod_template(name, resources={"requests": {"cpu": "500"}})
    return [_deployment(namespace, name, template, replicas=2)]


def failing_jobs(namespace: str, name: str) -> list[Object]:
    template = _pod_template(name, restartPolicy="Never")
    template["metadata"]["labels"][LABEL] = "failed-jobs"
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{name}-{number}", "namespace": namespace},
            "spec": {"backoffLimit": 0, "template": template},
        }
        for number in (1, 2, 3)
    ]


def unbound(namespace: str, name: str) -> list[Object]:
    resources = {"requests": {"storage": "100Gi"}}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "no-such-class", "resources": resources},
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    template = _pod_template(name, volumes=volumes, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    return [claim, _deployment(namespace, name, template, replicas=1)]
