"""Compact, immutable rows: what is kept of each Kubernetes object.

A row holds only what a check, a guard or a plan reads. Strings, labels and whole sub-tuples that repeat are shared
(interned by the decoder), so that 150,000 pods fit in about 100 MB. Instants are aware UTC datetimes.
Raw API objects never leave the decoder.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from msgspec import Struct

from common.contracts.objects import ObjectKey

Labels = Mapping[str, str]
Expression = tuple[str, str, tuple[str, ...]]  # key, operator, values
HostPort = tuple[str, str, int]  # protocol, address (empty: every one), port


class Value(Struct, frozen=True, gc=False, kw_only=True):
    """Base of everything that a row is made of."""


class OwnerRef(Value, frozen=True, gc=False, kw_only=True):
    """The controller owner (`controller: true`) of an object."""

    kind: str
    name: str
    uid: str


class Condition(Value, frozen=True, gc=False, kw_only=True):
    type: str
    status: str  # "True", "False" or "Unknown"
    reason: str = ""
    message: str = ""  # cut at 500 characters
    changed_at: datetime | None = None  # lastTransitionTime
    seen_at: datetime | None = None  # lastHeartbeatTime, nodes only


def find_condition(conditions: tuple[Condition, ...], type_: str) -> Condition | None:
    for condition in conditions:  # a loop, for speed: it runs on every pod and node event
        if condition.type == type_:
            return condition
    return None


class Resources(Value, frozen=True, gc=False, kw_only=True):
    """An amount of everything that is scheduled. Zero means none or not said."""

    cpu_millicores: int = 0
    memory_bytes: int = 0
    ephemeral_bytes: int = 0
    pods: int = 0
    extended: tuple[tuple[str, int], ...] = ()  # GPUs, hugepages and the like, by the name of the resource


class Selector(Value, frozen=True, gc=False, kw_only=True):
    """A label selector. `everything` tells an empty selector (matches all) from none (matches nothing)."""

    labels: Labels
    expressions: tuple[Expression, ...] = ()
    everything: bool = False

    def matches(self, labels: Labels) -> bool:
        if self.everything:
            return True
        if not self.labels and not self.expressions:
            return False
        return all(labels.get(k) == v for k, v in self.labels.items()) and all(
            _holds(labels.get(key), operator, values) for key, operator, values in self.expressions
        )


def _holds(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    return (value is not None) == (operator == "Exists")


_new = tuple.__new__  # half the price of calling the class: keys are made millions of times


class Row(Value, frozen=True, gc=False, kw_only=True):
    """What every kept object has. `annotations` holds those of this product (`k8s-health-checker/…`) and few more."""

    uid: str
    namespace: str = ""
    name: str
    resource_version: str = ""
    created_at: datetime | None = None
    deleted_at: datetime | None = None  # deletionTimestamp: when it should be gone, grace included
    labels: Labels
    annotations: Labels
    owner: OwnerRef | None = None

    @property
    def kind(self) -> str:
        return kind_name(type(self))

    @property
    def key(self) -> ObjectKey:
        return _new(ObjectKey, (kind_name(type(self)), self.namespace, self.name))


@cache
def kind_name(kind: type[Row]) -> str:
    """ "Pod" of PodRow."""
    return kind.__name__.removesuffix("Row")


class Taint(Value, frozen=True, gc=False, kw_only=True):
    key: str
    value: str = ""
    effect: str
    added_at: datetime | None = None


class Toleration(Value, frozen=True, gc=False, kw_only=True):
    key: str = ""  # empty with operator Exists tolerates everything
    operator: str = "Equal"
    value: str = ""
    effect: str = ""  # empty matches every effect
    seconds: int | None = None

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if not self.key:
            return self.operator == "Exists"
        return self.key == taint.key and (self.operator == "Exists" or self.value == taint.value)


class NodeTerm(Value, frozen=True, gc=False, kw_only=True):
    """One term of a node affinity: all its requirements hold. An empty term matches no node."""

    labels: tuple[Expression, ...] = ()
    fields: tuple[Expression, ...] = ()  # the API knows one field, metadata.name

    def matches(self, name: str, labels: Labels) -> bool:
        if not self.labels and not self.fields:
            return False
        return all(_suits(labels.get(key), operator, values) for key, operator, values in self.labels) and all(
            _suits(name, operator, values) for _, operator, values in self.fields
        )


def _suits(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    if operator not in {"Gt", "Lt"}:
        return _holds(value, operator, values)
    try:
        number, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound


class PodTerm(Value, frozen=True, gc=False, kw_only=True):
    """One required term of a pod affinity or anti-affinity: the pods that it means, and what it calls one place.

    Without `namespaces` and `namespace_selector` it means pods of the own namespace, else those of either.
    """

    topology_key: str
    selector: Selector
    namespaces: tuple[str, ...] = ()
    namespace_selector: Selector | None = None

    @property
    def crosses(self) -> bool:
        """Whether it may mean pods of other namespaces."""
        return bool(self.namespaces) or self.namespace_selector is not None


class Spread(Value, frozen=True, gc=False, kw_only=True):
    """A topology spread constraint that must hold (DoNotSchedule)."""

    topology_key: str
    selector: Selector
    max_skew: int = 1
    min_domains: int = 1
    heeds_affinity: bool = True  # nodeAffinityPolicy Honor: nodes that the pod may not choose count not
    heeds_taints: bool = False  # nodeTaintsPolicy Honor
    same_labels: tuple[str, ...] = ()  # matchLabelKeys: what the pods must have in common besides


class Scheduling(Value, frozen=True, gc=False, kw_only=True):
    """What a pod's spec says about where it may run, beyond requests, tolerations and claims. Shared by a template."""

    node_selector: Labels = {}
    node_terms: tuple[NodeTerm, ...] = ()  # of the required node affinity, of which one must match; none: no matter
    preferred_nodes: tuple[tuple[int, NodeTerm], ...] = ()  # with their weights
    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    gates: tuple[str, ...] = ()  # scheduling gates that are still shut
    priority: int = 0


ANYWHERE = Scheduling()  # one value for all pods that say nothing


class NodeRow(Row, frozen=True, gc=False, kw_only=True):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    conditions: tuple[Condition, ...] = ()  # all of them
    capacity: Resources = Resources()
    allocatable: Resources = Resources()
    kubelet_version: str = ""
    provider_id: str = ""

    @property
    def zone(self) -> str:
        """Value of topology.kubernetes.io/zone; empty when the node has none."""
        return self.labels.get("topology.kubernetes.io/zone", "")

    def condition(self, type_: str) -> Condition | None:
        return find_condition(self.conditions, type_)

    @property
    def ready(self) -> bool:
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"


class Container(Value, frozen=True, gc=False, kw_only=True):
    """What the spec says of a container. `init` covers init containers; `sidecar` those of them that keep running."""

    name: str
    init: bool = False
    sidecar: bool = False
    requests: Resources = Resources()
    limits: Resources = Resources()
    liveness: bool = False
    readiness: bool = False


class ContainerStatus(Value, frozen=True, gc=False, kw_only=True):
    """What the kubelet says of a container. A running one keeps no start time, so that healthy ones are shared."""

    name: str
    init: bool = False
    ready: bool = False
    restarts: int = 0
    state: str = ""  # "running", "waiting", "terminated", or empty when not reported
    reason: str = ""  # of waiting or terminated
    message: str = ""  # cut at 500 characters
    exit_code: int | None = None  # of terminated
    finished_at: datetime | None = None  # of terminated
    last_reason: str = ""  # lastState.terminated
    last_exit_code: int | None = None
    last_started_at: datetime | None = None  # with the next, how long the run that ended last had lasted
    last_finished_at: datetime | None = None


class PodRow(Row, frozen=True, gc=False, kw_only=True):
    node: str = ""  # empty until scheduled
    phase: str = ""
    reason: str = ""  # status.reason, such as Evicted
    message: str = ""  # cut at 500 characters
    ready: bool = False
    ready_changed_at: datetime | None = None  # lastTransitionTime of Ready
    started_at: datetime | None = None  # status.startTime
    scheduled_at: datetime | None = None  # lastTransitionTime of PodScheduled=True
    conditions: tuple[Condition, ...] = ()  # only those that are not True
    containers: tuple[Container, ...] = ()
    statuses: tuple[ContainerStatus, ...] = ()
    requests: Resources = Resources()  # effective request of the pod, as the scheduler counts it; pods=1
    limits: Resources = Resources()
    tolerations: tuple[Toleration, ...] = ()
    claims: tuple[str, ...] = ()  # names of the PVCs it mounts
    priority_class: str = ""
    qos: str = ""
    grace_seconds: int | None = None  # deletionGracePeriodSeconds
    finalizers: tuple[str, ...] = ()
    mirror: bool = False  # a static pod, made by a kubelet
    generation: int = 0  # of the spec; 0 before Kubernetes 1.33
    scheduling: Scheduling = ANYWHERE

    @property
    def finished(self) -> bool:
        return self.phase in {"Succeeded", "Failed"}

    def condition(self, type_: str) -> Condition | None:
        """A condition that is not True, or None."""
        return find_condition(self.conditions, type_)


class NamespaceRow(Row, frozen=True, gc=False, kw_only=True):
    phase: str = ""


class WorkloadRow(Row, frozen=True, gc=False, kw_only=True):
    """Deployment, ReplicaSet, StatefulSet and DaemonSet alike. A DaemonSet's `replicas` is what should be scheduled."""

    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    current_replicas: int = 0  # status.replicas, or currentNumberScheduled
    misscheduled: int = 0  # DaemonSet
    generation: int = 0
    observed_generation: int = 0
    paused: bool = False
    strategy: str = ""  # RollingUpdate, Recreate, OnDelete
    max_surge: str = ""  # of RollingUpdate, as written: "1", "25%", or empty
    max_unavailable: str = ""
    revision: str = ""  # deployment.kubernetes.io/revision, or the update revision
    current_revision: str = ""  # StatefulSet
    partition: int = 0  # StatefulSet: pods below this ordinal keep the current revision on purpose
    progress_deadline_seconds: int | None = None
    selector: Selector
    conditions: tuple[Condition, ...] = ()
    claim_templates: tuple[str, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        return find_condition(self.conditions, type_)


class DeploymentRow(WorkloadRow, frozen=True, gc=False, kw_only=True): ...


class ReplicaSetRow(WorkloadRow, frozen=True, gc=False, kw_only=True): ...


class StatefulSetRow(WorkloadRow, frozen=True, gc=False, kw_only=True): ...


class DaemonSetRow(WorkloadRow, frozen=True, gc=False, kw_only=True): ...


class JobRow(Row, frozen=True, gc=False, kw_only=True):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int | None = None
    suspended: bool = False
    started_at: datetime | None = None
    completed_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        return find_condition(self.conditions, type_)


class CronJobRow(Row, frozen=True, gc=False, kw_only=True):
    schedule: str = ""
    time_zone: str = ""
    suspended: bool = False
    active: int = 0
    last_scheduled_at: datetime | None = None
    last_successful_at: datetime | None = None


class HorizontalPodAutoscalerRow(Row, frozen=True, gc=False, kw_only=True):
    target_kind: str = ""
    target_name: str = ""
    min_replicas: int = 1
    max_replicas: int = 0
    current_replicas: int = 0
    desired_replicas: int = 0
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        return find_condition(self.conditions, type_)


class PodDisruptionBudgetRow(Row, frozen=True, gc=False, kw_only=True):
    selector: Selector
    min_available: str = ""  # as written: "1", "50%", or empty
    max_unavailable: str = ""
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    unready_may_go: bool = False  # unhealthyPodEvictionPolicy AlwaysAllow: pods that are not ready need no leave
    generation: int = 0
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        return find_condition(self.conditions, type_)


class PersistentVolumeClaimRow(Row, frozen=True, gc=False, kw_only=True):
    phase: str = ""
    volume: str = ""
    storage_class: str = ""
    requested_bytes: int = 0
    access_modes: tuple[str, ...] = ()  # as granted, or as asked for while it is not bound


class PersistentVolumeRow(Row, frozen=True, gc=False, kw_only=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    claim_namespace: str = ""
    claim_name: str = ""
    reclaim_policy: str = ""
    storage_class: str = ""
    phase_changed_at: datetime | None = None  # lastPhaseTransitionTime
    node_terms: tuple[NodeTerm, ...] = ()  # of its node affinity, of which one must match; none: reached from anywhere


class ServiceRow(Row, frozen=True, gc=False, kw_only=True):
    type: str = ""
    selector: Labels = {}
    headless: bool = False


class EndpointSliceRow(Row, frozen=True, gc=False, kw_only=True):
    service: str = ""  # kubernetes.io/service-name
    ready: int = 0
    not_ready: int = 0


class LeaseRow(Row, frozen=True, gc=False, kw_only=True):
    """A node's heartbeat, from namespace kube-node-lease."""

    holder: str = ""
    renewed_at: datetime | None = None
    duration_seconds: int = 40


class EventRow(Row, frozen=True, gc=False, kw_only=True):
    """A Warning event."""

    about: ObjectKey
    about_uid: str = ""
    reason: str = ""
    message: str = ""  # cut at 500 characters
    field_path: str = ""  # such as spec.containers{app}
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None


class Usage(Value, frozen=True, gc=False, kw_only=True):
    """What metrics.k8s.io measured. `containers` is empty for nodes."""

    cpu_millicores: int
    memory_bytes: int
    measured_at: datetime
    containers: Mapping[str, tuple[int, int]] = {}  # name -> millicores, bytes


ROW_KINDS: tuple[type[Row], ...] = (
    NamespaceRow,
    NodeRow,
    LeaseRow,
    DeploymentRow,
    ReplicaSetRow,
    StatefulSetRow,
    DaemonSetRow,
    CronJobRow,
    JobRow,
    HorizontalPodAutoscalerRow,
    PodDisruptionBudgetRow,
    PersistentVolumeRow,
    PersistentVolumeClaimRow,
    ServiceRow,
    EndpointSliceRow,
    PodRow,
    EventRow,
)
