"""Faults of a Deployment's new revision, which rolling back heals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..api import STRATEGIC_PATCH, Object, collection
from .switch import LABEL, WORKLOAD, Switches

if TYPE_CHECKING:
    from ..cluster import DevCluster

IMAGE_BEFORE = "devcluster/image-before"


def rollout(name: str, label: str, tag: str) -> Switches:
    """Switches of a new revision of a Deployment that never gets ready; rolling back heals it."""

    def on(cluster: DevCluster, target: str | None) -> None:
        path = _deployment_path(target or WORKLOAD)
        deployment = cluster.api.get(path)
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        broken = f"{image.rpartition(':')[0] or image}:{tag}"
        _revise(cluster, deployment, image=broken, label=label, before={IMAGE_BEFORE: image, LABEL: name})

    def off(cluster: DevCluster, target: str | None) -> None:
        everywhere = cluster.api.items(collection("apps/v1/deployments"))
        chosen = [cluster.api.get(_deployment_path(target))] if target else everywhere
        for deployment in chosen:
            annotations = deployment["metadata"].get("annotations", {})
            if annotations.get(LABEL) == name:
                before = {IMAGE_BEFORE: None, LABEL: None}
                _revise(cluster, deployment, image=annotations[IMAGE_BEFORE], label=None, before=before)

    return on, off


def _revise(cluster: DevCluster, deployment: Object, *, image: str, label: str | None, before: Object) -> None:
    metadata = deployment["metadata"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
    template = {
        "metadata": {"labels": {LABEL: label}},
        "spec": {"containers": [{"name": container, "image": image}]},
    }
    # Ten minutes is the default until a rollout counts as failed; half a minute makes it visible.
    spec = {"template": template, "progressDeadlineSeconds": 30 if label else 600}
    path = _deployment_path(f"{metadata['namespace']}/{metadata['name']}")
    cluster.api.patch(path, {"metadata": {"annotations": before}, "spec": spec}, STRATEGIC_PATCH)


def _deployment_path(target: str) -> str:
    namespace, _, name = target.partition("/")
    return f"{collection('apps/v1/deployments', namespace)}/{name}"
