"""The numbers that guards go by, as the policy file gives them under `guards`. Each says its unit and why this default.

One group per guard, named by the guard's code; the catalogue and the policy's JSON Schema are made from them.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from auto_healing.guards.pace import (
    AttemptsSettings,
    CooldownSettings,
    Count,
    GraceSettings,
    Group,
    LoopSettings,
    RateLimitSettings,
)
from auto_healing.guards.windows import MaintenanceWindowSettings
from common.policy.shape import Duration

Share = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class ProtectedSettings(Group):
    """What is never touched."""

    namespaces: Names = ("kube-system", "kube-public", "kube-node-lease")
    """Namespaces left alone: names, or patterns such as team-*. By default those of Kubernetes itself, which everything
    else needs."""
    control_plane: bool = True
    """Whether control-plane nodes and static pods are left alone. On by default: they repair badly from within."""
    priority_classes: Names = ("system-cluster-critical", "system-node-critical")
    """Priority classes whose pods are left alone. By default the two by which Kubernetes marks what it cannot do
    without."""


class FreshViewSettings(Group):
    """When the own view of the cluster is trusted."""

    quiet: Duration = timedelta(minutes=5)
    """How long a watch may have been silent. A bookmark comes about every minute; the watch itself gives up after
    2m30s, so this catches only one that is stuck."""
    settle: Duration = timedelta(minutes=1)
    """How long nothing is done after an outage of the view. A judgement: kubelets and controllers need some 40 s to
    bring their statuses up to date again."""
    health_monitor_silence: Duration = timedelta(minutes=5)
    """How old the last word of health_monitor may be. A judgement: it is asked every minute or so, and what it found
    before may long be over."""
    error_ratio: Share = 0.2
    """Part of the requests to the API server that may fail, 0 to 1. 20 % is the bound of the alert
    KubeAPITerminatedRequests."""
    p99_seconds: Annotated[float, Field(gt=0, le=600)] = 4.0
    """Seconds within which 99 of 100 requests must be answered. Kubernetes' own objective is 1 s; from 4 s on leases
    are missed, and readiness says little."""
    requests: Count = 20
    """Requests of the last minutes that it takes to judge errors and slowness. A judgement: fewer are chance."""
    lease_ratio: Share = 0.1
    """Part of the nodes, 0 to 1, whose Lease may say otherwise than their Ready condition. A judgement: single nodes
    lag, many at once mean that the view or the control plane is wrong."""
    lease_nodes: Count = 3
    """Nodes that may do so in any case. As many as the control plane takes before it calls a zone unhealthy."""
    lease_age: Duration = timedelta(minutes=2)
    """Age from which the Lease of a node that is called ready is too old. Kubelets renew it every 10 s, and the control
    plane waits 40 s to 50 s; three times as long cannot be normal."""
    same_second_objects: Count = 250
    """Nodes and pods that may turn unhealthy within one second. More than two full nodes of 110 pods: when one node
    dies, all of its pods turn at once."""
    same_second_nodes: Count = 5
    """Nodes that may turn unready within one second. The control plane looks every 5 s, so a rack may fall together;
    more at once is mostly its own mistake."""
    same_second_hold: Duration = timedelta(minutes=10)
    """How long nothing is done after such a second. A judgement: a false alarm is over by then, a true one is for the
    budgets to pace."""


class StillTrueSettings(Group):
    """When trouble counts as over."""

    well: Duration = timedelta(minutes=3)
    """How long a node or pod must have been well to count as recovered. Within that time nothing is done either. A
    judgement: three rounds of status reports, as long as a node must be well before it is uncordoned."""


class OwnerInFlightSettings(Group):
    """What else may be at work."""

    ignored: Names = ()
    """Other healers to act beside all the same: cluster-autoscaler, karpenter, cluster-api, node-health-check,
    machine-health-check, kured, descheduler, argo-cd, flux, keda, cloud, draino, cordon. None by default: two healers
    on one object fight."""
    patience: Duration = timedelta(minutes=10)
    """How long after its newest pod a rollout without a deadline counts as under way. As long as a Deployment waits by
    default (progressDeadlineSeconds)."""


class DisruptionBudgetSettings(Group):
    """How much may be out of service at once, no matter who caused it."""

    nodes_per_zone: Count = 1
    """Nodes of one zone that may be worked on at once. One: its neighbours carry its pods meanwhile."""
    pool_ratio: Share = 0.2
    """Part of a pool's nodes, 0 to 1, that may be out of service. Karpenter repairs up to 20 % of a pool. At least one
    node, unless this is 0."""
    cluster_ratio: Share = 0.1
    """Part of all nodes, 0 to 1, that may be out of service. Karpenter's default for disruptions. At least one node,
    unless this is 0."""
    workload_ratio: Share = 0.25
    """Part of a workload's replicas, 0 to 1, that may be missing. As a Deployment's own maxUnavailable. At least one
    replica, unless this is 0."""


class UnhealthyRatioSettings(Group):
    """When so much is unhealthy that the single node is not the cause."""

    zone_ratio: Share = 0.55
    """Part of a zone's nodes, 0 to 1, with the same trouble, from which nothing is done in it. At 55 % the control
    plane calls a zone unhealthy."""
    zone_nodes: Count = 3
    """Nodes that it takes at least. As many as the control plane asks for."""
    pool_ratio: Share = 0.4
    """Part of a pool's nodes, 0 to 1, with the same trouble, from which repair stops. Twice the budget: Cluster
    Autoscaler halts at 45 %."""
    small_pool: Count = 50
    """Nodes up to which a pool is small: there a few nodes are 40 % already. The control plane too calls clusters of
    up to 50 nodes small."""
    small_pool_repairs: Count = 1
    """Nodes of a small pool that are repaired at once all the same. One: else two bad nodes of four would never be
    repaired. 0 stops there as well."""


class StormSettings(Group):
    """When statuses are still settling."""

    cooldown: Duration = timedelta(minutes=2)
    """How long nothing is done after a storm, or after the last node of many came back. Statuses arrive unevenly; NHC's
    stormCooldownDuration serves the same end."""
    nodes: Annotated[int, Field(ge=1, le=100_000)] = 3
    """Nodes whose readiness changed within that time, from which it is a storm. As many as the control plane takes
    before it calls a zone unhealthy."""
    startup: Duration = timedelta(minutes=10)
    """Age up to which a node is new, and its becoming ready no sign of a storm. nodeStartupTimeout of Cluster API."""


class AlertsSettings(Group):
    """Which firing alerts hold. About the target itself none does: it is why something is to be done."""

    required: bool = True
    """Whether to hold while Alertmanager is configured but cannot be asked. On by default: what burns is not known."""
    severities: Names = ("critical",)
    """Values of the label severity that hold; empty: all. Critical by default: warnings fire somewhere at any time."""
    ignored: Pattern = "Watchdog|InfoInhibitor|DeadMansSwitch"
    """Regular expression for whole names of alerts that never hold. By default those that always fire on purpose."""
    younger_than: Duration = timedelta(hours=12)
    """Alerts that have fired for longer do not hold. A judgement: what has burnt for half a day is no news, and must
    not end all healing."""


class CapacitySettings(Group):
    """Whether what is displaced finds a place."""

    outages: Literal["approval", "allow"] = "approval"
    """Whether taking away a workload's only ready replica needs a person's approval, or may be done all the same. By
    default approval: surge first is nearly always possible."""


class GuardSettings(Group):
    """What must hold before anything harmful is done. Guards are asked in this order; restoring is always allowed."""

    protected: ProtectedSettings = Field(default_factory=ProtectedSettings)
    fresh_view: FreshViewSettings = Field(default_factory=FreshViewSettings)
    still_true: StillTrueSettings = Field(default_factory=StillTrueSettings)
    owner_in_flight: OwnerInFlightSettings = Field(default_factory=OwnerInFlightSettings)
    grace: GraceSettings = Field(default_factory=GraceSettings)
    cooldown: CooldownSettings = Field(default_factory=CooldownSettings)
    attempts: AttemptsSettings = Field(default_factory=AttemptsSettings)
    loop: LoopSettings = Field(default_factory=LoopSettings)
    disruption_budget: DisruptionBudgetSettings = Field(default_factory=DisruptionBudgetSettings)
    unhealthy_ratio: UnhealthyRatioSettings = Field(default_factory=UnhealthyRatioSettings)
    storm: StormSettings = Field(default_factory=StormSettings)
    maintenance_window: MaintenanceWindowSettings = Field(default_factory=MaintenanceWindowSettings)
    alerts: AlertsSettings = Field(default_factory=AlertsSettings)
    rate_limit: RateLimitSettings = Field(default_factory=RateLimitSettings)
    capacity: CapacitySettings = Field(default_factory=CapacitySettings)
