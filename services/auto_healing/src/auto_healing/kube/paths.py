"""Where the API server keeps each kind that an action reads or writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.contracts import ObjectRef


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind on the wire. What is `secret` is never read but for its metadata; what is `bulky` is listed so."""

    kind: str
    plural: str
    group: str = ""  # as in RBAC rules; empty for the core group
    version: str = "v1"
    namespaced: bool = True
    secret: bool = False
    bulky: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


RESOURCES: tuple[Resource, ...] = (
    Resource("ConfigMap", "configmaps", bulky=True),
    Resource("Event", "events"),
    Resource("Namespace", "namespaces", namespaced=False),
    Resource("Node", "nodes", namespaced=False),
    Resource("PersistentVolume", "persistentvolumes", namespaced=False),
    Resource("PersistentVolumeClaim", "persistentvolumeclaims"),
    Resource("Pod", "pods"),
    Resource("PodTemplate", "podtemplates"),
    Resource("ReplicationController", "replicationcontrollers"),
    Resource("Secret", "secrets", secret=True, bulky=True),
    Resource("Service", "services"),
    Resource("ServiceAccount", "serviceaccounts"),
    Resource("ControllerRevision", "controllerrevisions", "apps"),
    Resource("DaemonSet", "daemonsets", "apps"),
    Resource("Deployment", "deployments", "apps"),
    Resource("ReplicaSet", "replicasets", "apps"),
    Resource("StatefulSet", "statefulsets", "apps"),
    Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2"),
    Resource("CronJob", "cronjobs", "batch"),
    Resource("Job", "jobs", "batch"),
    Resource("Lease", "leases", "coordination.k8s.io"),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io"),
    Resource("Ingress", "ingresses", "networking.k8s.io"),
    Resource("PodDisruptionBudget", "poddisruptionbudgets", "policy"),
    Resource("VolumeSnapshot", "volumesnapshots", "snapshot.storage.k8s.io"),
    Resource("VolumeSnapshotClass", "volumesnapshotclasses", "snapshot.storage.k8s.io", namespaced=False),
    Resource("StorageClass", "storageclasses", "storage.k8s.io", namespaced=False),
    Resource("VolumeAttachment", "volumeattachments", "storage.k8s.io", namespaced=False),
)

RESOURCES_BY_KIND: Mapping[str, Resource] = {resource.kind: resource for resource in RESOURCES}


def resource_of(kind: str) -> Resource:
    """Raises ValueError for a kind that nothing here works with."""
    try:
        return RESOURCES_BY_KIND[kind]
    except KeyError:
        raise ValueError(f"there is nothing to be done with objects of kind {kind}") from None


def collection_of(kind: str, namespace: str = "") -> str:
    """Path of all objects of the kind, or of those in one namespace."""
    resource = resource_of(kind)
    place = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
    return f"{resource.root}{place}/{resource.plural}"


def path_of(ref: ObjectRef, subresource: str = "") -> str:
    """Path of one object, or of one of its subresources such as `eviction`."""
    path = f"{collection_of(ref.kind, ref.namespace)}/{ref.name}"
    return f"{path}/{subresource}" if subresource else path


def is_secret(path: str) -> bool:
    """Whether the collection is of a kind whose content is never read, in one namespace or in all."""
    return any(path.startswith(each.root) and path.endswith(f"/{each.plural}") for each in RESOURCES if each.secret)
