"""Why a live object is left alone, whatever a rule thinks of it. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from auto_healing import marks
from auto_healing.kube.cluster import Manifest

OURSELVES = "k8s-health-checker"  # as field manager: the beginning of the user agent
MANAGED_BY = "app.kubernetes.io/managed-by"
# Keys of labels and annotations by which tools know what they have made.
TOOLS: Mapping[str, str] = {
    "meta.helm.sh/": "Helm",
    "helm.sh/hook": "Helm",
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "kapp.k14s.io/": "kapp",
    "objectset.rio.cattle.io/": "Rancher",
    "addonmanager.kubernetes.io/": "the addon manager",
    "operators.coreos.com/": "the Operator Lifecycle Manager",
    "olm.": "the Operator Lifecycle Manager",
    "crossplane.io/": "Crossplane",
    "cnrm.cloud.google.com/": "Config Connector",
}


def kept_because(manifest: Manifest, *, owned: bool = False, made: bool = False) -> str:
    """The end of a sentence about the object; empty when nothing keeps it.

    `owned`: objects of the kind have owners, which do not keep them. `made`: they are made by controllers, with labels
    that say nothing of themselves.
    """
    metadata = manifest["metadata"]
    if metadata.get("deletionTimestamp"):
        return "is being deleted already"
    if opted_out(metadata):
        return f"has opted out by {marks.HEAL}"
    if not made and (tool := managed_by(metadata)):
        return f"is managed by {tool}, which would make it again: remove it there"
    if not owned and (owner := next(iter(metadata.get("ownerReferences") or ()), None)):
        return f"belongs to {owner['kind']} {owner['name']}, with which it goes"
    if foreign := [each for each in metadata.get("finalizers") or () if not _of_kubernetes(each)]:
        return f"is held by the finalizer {', '.join(foreign)}"
    return ""


def opted_out(metadata: Mapping[str, Any]) -> bool:
    return any((metadata.get(kind) or {}).get(marks.HEAL) == "off" for kind in ("labels", "annotations"))


def managed_by(metadata: Mapping[str, Any]) -> str:
    """The tool that has made the object and keeps it as it is; empty for none."""
    for key, value in _pairs(metadata):
        if key == MANAGED_BY and value:
            return value
        for prefix, tool in TOOLS.items():
            if key.startswith(prefix):
                return tool
    return ""


def changed_at(manifest: Manifest) -> datetime | None:
    """When somebody else last wrote more than its status, as its managed fields tell; None when they do not."""
    times = [
        datetime.fromisoformat(entry["time"])
        for entry in manifest["metadata"].get("managedFields") or ()
        if entry.get("time") and not entry.get("subresource") and entry.get("manager") != OURSELVES
    ]
    return max(times, default=None)


def _pairs(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in ("labels", "annotations"):
        yield from (metadata.get(kind) or {}).items()


def _of_kubernetes(finalizer: str) -> bool:
    """They wait for users to go, or for a cloud to clean up."""
    domain, _, name = finalizer.partition("/")
    return domain.endswith("kubernetes.io") if name else finalizer in {"foregroundDeletion", "orphan"}
