"""The kinds that are known: where each is, what it can refer to, and how its references are found."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from auto_healing.actions.cleanup import shapes, uses
from auto_healing.actions.cleanup.references import CLAIM, CONFIG_MAP, SECRET, SERVICE

_OF_PODS = frozenset({CONFIG_MAP, SECRET, CLAIM, SERVICE})
_APPS, _BATCH, _ADMISSION = "/apis/apps/v1", "/apis/batch/v1", "/apis/admissionregistration.k8s.io/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"

Extract = Callable[[Any], tuple[uses.Found, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind that is known: where it is, what it can refer to, and how its references are found."""

    kind: str
    path: str
    shape: type[shapes.Item]
    extract: Extract
    kinds: Collection[str] = _OF_PODS
    metadata_only: bool = False


def _workload(kind: str, path: str) -> Source:
    return Source(kind, path, shapes.WorkloadItem, uses.of_workload)


def _annotated(kind: str, path: str) -> Source:
    """Of which annotations alone may name something."""
    return Source(kind, path, shapes.Item, uses.of_metadata, metadata_only=True)


SOURCES: tuple[Source, ...] = (
    Source("Pod", "/api/v1/pods", shapes.PodItem, uses.of_pod),
    _workload("ReplicationController", "/api/v1/replicationcontrollers"),
    _workload("PodTemplate", "/api/v1/podtemplates"),
    _workload("Deployment", f"{_APPS}/deployments"),
    _workload("ReplicaSet", f"{_APPS}/replicasets"),
    _workload("StatefulSet", f"{_APPS}/statefulsets"),
    _workload("DaemonSet", f"{_APPS}/daemonsets"),
    _workload("Job", f"{_BATCH}/jobs"),
    _workload("CronJob", f"{_BATCH}/cronjobs"),
    Source("ControllerRevision", f"{_APPS}/controllerrevisions", shapes.RevisionItem, uses.of_revision),
    Source("ServiceAccount", "/api/v1/serviceaccounts", shapes.AccountItem, uses.of_account, {SECRET}),
    Source(
        "Ingress",
        "/apis/networking.k8s.io/v1/ingresses",
        shapes.IngressItem,
        uses.of_ingress,
        {CONFIG_MAP, SECRET, SERVICE},
    ),
    Source(
        "ValidatingWebhookConfiguration",
        f"{_ADMISSION}/validatingwebhookconfigurations",
        shapes.WebhookItem,
        uses.of_webhooks,
        {SECRET, SERVICE},
    ),
    Source(
        "MutatingWebhookConfiguration",
        f"{_ADMISSION}/mutatingwebhookconfigurations",
        shapes.WebhookItem,
        uses.of_webhooks,
        {SECRET, SERVICE},
    ),
    Source(
        "APIService",
        "/apis/apiregistration.k8s.io/v1/apiservices",
        shapes.ServedItem,
        uses.of_served,
        {SECRET, SERVICE},
    ),
    Source(
        "CustomResourceDefinition",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        shapes.ServedItem,
        uses.of_served,
        {SECRET, SERVICE},
    ),
    Source("ConfigMap", "/api/v1/configmaps", shapes.ConfigItem, uses.of_config),
    _annotated("Secret", "/api/v1/secrets"),
    _annotated("Service", "/api/v1/services"),
    _annotated("Namespace", "/api/v1/namespaces"),
    _annotated("PersistentVolumeClaim", "/api/v1/persistentvolumeclaims"),
    _annotated("IngressClass", "/apis/networking.k8s.io/v1/ingressclasses"),
    Source("Role", f"{_RBAC}/roles", shapes.RoleItem, uses.of_role),
    Source("ClusterRole", f"{_RBAC}/clusterroles", shapes.RoleItem, uses.of_role),
)

# Kinds that name none of what is judged here, or name it without using it.
HARMLESS = frozenset(
    {
        "Binding",
        "ClusterRoleBinding",
        "ComponentStatus",
        "CSIDriver",
        "CSINode",
        "CSIStorageCapacity",
        "CertificateSigningRequest",
        "Endpoints",
        "EndpointSlice",
        "Event",
        "FlowSchema",
        "HorizontalPodAutoscaler",
        "IPAddress",
        "Lease",
        "LeaseCandidate",
        "LimitRange",
        "NetworkPolicy",
        "Node",
        "PodDisruptionBudget",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceQuota",
        "RoleBinding",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageVersion",
        "ValidatingAdmissionPolicyBinding",
        "VolumeAttachment",
        "VolumeSnapshot",
    }
)
HARMLESS_GROUPS = frozenset({"metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"})
# Of these, only what carries secrets for a storage driver matters; volumes name their claim, which is no use of it.
ONLY_SECRETS = frozenset({"PersistentVolume", "StorageClass", "VolumeSnapshotClass", "VolumeSnapshotContent"})

KNOWN = frozenset((source.path.rsplit("/", 1)[0], source.kind) for source in SOURCES)


def is_unknown(root: str, kind: str) -> bool:
    """Whether a kind has to be searched: not one whose references are known, nor one of Kubernetes without any."""
    group = root.split("/")[2] if root.startswith("/apis/") else ""
    of_kubernetes = "." not in group or group.endswith(".k8s.io")
    return (root, kind) not in KNOWN and not (of_kubernetes and kind in HARMLESS)
