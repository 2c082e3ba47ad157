"""What is watched: every kind, where the API serves it, and how it becomes a row. Secrets are not among them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common.cluster import rows
from common.cluster.decode import batch, events, nodes, pods, policies, services, storage, workloads

CLUSTER_SCOPED = {"/api/v1/namespaces", "/api/v1/nodes", "/api/v1/persistentvolumes"}


@dataclass(frozen=True, slots=True)
class Kind:
    """`shape` is what the JSON of one object is decoded to, `to_row` makes its row, or raises ValueError.

    With `reuses`, `to_row` is also given the row that the object had, or None, and takes from it what did not change.
    """

    row: type[rows.Row]
    path: str
    shape: type[Any]
    to_row: Callable[..., rows.Row]
    params: Mapping[str, str] = field(default_factory=dict)
    reuses: bool = False

    @property
    def name(self) -> str:
        return rows.kind_name(self.row)

    def within(self, namespace: str) -> "Kind":
        """This kind in one namespace only. Kinds that are in no namespace, or in one alone, stay as they are."""
        if not namespace or self.path in CLUSTER_SCOPED or "/namespaces/" in self.path:
            return self
        place, resource = self.path.rsplit("/", 1)
        return replace(self, path=f"{place}/namespaces/{namespace}/{resource}")

    @property
    def resource(self) -> str:
        """Plural name, as in RBAC rules: "pods"."""
        return self.path.rsplit("/", 1)[1]

    @property
    def group(self) -> str:
        """API group, as in RBAC rules: "apps"; empty for the core group."""
        return self.path.split("/")[2] if self.path.startswith("/apis/") else ""


KINDS: tuple[Kind, ...] = (
    Kind(rows.NamespaceRow, "/api/v1/namespaces", nodes.NamespaceShape, nodes.namespace_row),
    Kind(rows.NodeRow, "/api/v1/nodes", nodes.NodeShape, nodes.node_row),
    Kind(
        rows.LeaseRow,
        "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
        nodes.LeaseShape,
        nodes.lease_row,
    ),
    Kind(rows.DeploymentRow, "/apis/apps/v1/deployments", workloads.WorkloadShape, workloads.deployment_row),
    Kind(rows.ReplicaSetRow, "/apis/apps/v1/replicasets", workloads.WorkloadShape, workloads.replica_set_row),
    Kind(rows.StatefulSetRow, "/apis/apps/v1/statefulsets", workloads.WorkloadShape, workloads.stateful_set_row),
    Kind(rows.DaemonSetRow, "/apis/apps/v1/daemonsets", workloads.WorkloadShape, workloads.daemon_set_row),
    Kind(rows.CronJobRow, "/apis/batch/v1/cronjobs", batch.CronJobShape, batch.cron_job_row),
    Kind(rows.JobRow, "/apis/batch/v1/jobs", batch.JobShape, batch.job_row),
    Kind(
        rows.HorizontalPodAutoscalerRow,
        "/apis/autoscaling/v2/horizontalpodautoscalers",
        policies.HpaShape,
        policies.hpa_row,
    ),
    Kind(rows.PodDisruptionBudgetRow, "/apis/policy/v1/poddisruptionbudgets", policies.PdbShape, policies.pdb_row),
    Kind(rows.PersistentVolumeRow, "/api/v1/persistentvolumes", storage.VolumeShape, storage.volume_row),
    Kind(rows.PersistentVolumeClaimRow, "/api/v1/persistentvolumeclaims", storage.ClaimShape, storage.claim_row),
    Kind(rows.ServiceRow, "/api/v1/services", services.ServiceShape, services.service_row),
    Kind(
        rows.EndpointSliceRow,
        "/apis/discovery.k8s.io/v1/endpointslices",
        services.EndpointSliceShape,
        services.endpoint_slice_row,
    ),
    Kind(rows.PodRow, "/api/v1/pods", pods.PodShape, pods.pod_row, reuses=True),
    Kind(rows.EventRow, "/api/v1/events", events.EventShape, events.event_row, {"fieldSelector": "type=Warning"}),
)
