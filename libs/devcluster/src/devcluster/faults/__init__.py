"""Faults by name, on and off, as a real cluster shows them.

What a kubelet would report is a label that the simulated kubelet obeys, or a status it does not overwrite; everything
that follows (taints, evictions, failed rollouts) is the work of the real controllers. A fault is switched off on its
target, or, where none is given, wherever it is on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DevClusterError
from . import additions, control_plane, nodes, pods, rollouts
from .switch import WORKLOAD, Switch

if TYPE_CHECKING:
    from ..cluster import DevCluster


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault; ``target`` says what it takes ("node", "namespace/name") and what it falls back to."""

    name: str
    about: str
    target: str
    on: Switch
    off: Switch


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault of one cluster with its target."""

    cluster: DevCluster
    fault: Fault
    target: str | None

    def on(self) -> None:
        self.fault.on(self.cluster, self.target)

    def off(self) -> None:
        self.fault.off(self.cluster, self.target)


def fault_named(name: str) -> Fault:
    """Raises DevClusterError with the names there are."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise DevClusterError(f"there is no fault {name!r}; there are {', '.join(fault.name for fault in FAULTS)}")


_NODE, _PODS, _NONE = "a node", f"namespace/workload or namespace/pod, else {WORKLOAD}", "-"
_NOT_READY = ("False", "KubeletNotReady", "container runtime network not ready: cni plugin not initialized")
_READY = ("True", "KubeletReady", "kubelet is posting ready status")

FAULTS = (
    Fault("node-dark", "a node falls silent, its pods are stuck", _NODE, nodes.dark_on, nodes.dark_off),
    Fault(
        "node-not-ready",
        "a node's kubelet reports that it is not ready",
        _NODE,
        *nodes.condition("node-not-ready", "Ready", _NOT_READY, _READY),
    ),
    Fault("disk-pressure", "a node runs out of disk", _NODE, *nodes.pressure("Disk", "disk")),
    Fault("memory-pressure", "a node runs out of memory", _NODE, *nodes.pressure("Memory", "memory")),
    Fault("pid-pressure", "a node runs out of process ids", _NODE, *nodes.pressure("PID", "PID")),
    Fault("crash-loop", "pods crash and are restarted, again and again", _PODS, *pods.labelled("crash-loop")),
    Fault("oom-kill", "containers are killed for lack of memory, again and again", _PODS, *pods.labelled("oom-kill")),
    Fault(
        "image-pull-error",
        "a new revision's image cannot be pulled",
        _PODS,
        *rollouts.rollout("image-pull-error", "image-pull-error", "no-such-tag"),
    ),
    Fault("stuck-terminating", "a deleted pod does not go", _PODS, pods.terminating_on, pods.terminating_off),
    Fault(
        "pending-capacity",
        "pods ask for more than any node has",
        "namespace/name to make, else shop/forecast",
        *additions.objects("shop/forecast", additions.too_big),
    ),
    Fault("failing-probes", "readiness probes fail, containers run on", _PODS, *pods.labelled("failing-probes")),
    Fault("evicted-pile", "evicted pods pile up", _PODS, pods.evicted_on, pods.evicted_off),
    Fault(
        "failed-jobs",
        "jobs fail",
        "namespace/name to make, else payments/report",
        *additions.objects("payments/report", additions.failing_jobs),
    ),
    Fault(
        "bad-rollout",
        "a new revision crash-loops, the rollout is stuck",
        _PODS,
        *rollouts.rollout("bad-rollout", "crash-loop", "2.0.0"),
    ),
    Fault(
        "stuck-pvc",
        "a claim of a storage class that is not there, and a pod that waits for it",
        "namespace/name to make, else shop/archive",
        *additions.objects("shop/archive", additions.unbound),
    ),
    Fault("api-server-stopped", "the API server is killed", _NONE, control_plane.stopped_on, control_plane.start),
    Fault(
        "api-server-slow",
        "the API server mostly stands still",
        _NONE,
        control_plane.slow_on,
        control_plane.slow_off,
    ),
    Fault("metrics-gone", "metrics-server is killed", _NONE, control_plane.metrics_on, control_plane.start),
)
