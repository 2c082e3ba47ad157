"""How findings are read for attribution: which ones tell that something fails, and what a node's trouble explains."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey, Severity

WORKLOAD_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})

# Told of pods that have ended: what they leave behind says little of what runs now.
REMAINS = frozenset({"pod-evicted", "pod-failed"})
# Told of pods that no node has been found for: they fail nowhere.
WAITING = frozenset({"pod-unschedulable", "pod-pending"})
# Worth knowing, but nothing fails by it.
QUIET = frozenset({"pod-memory-near-limit", "pod-cpu-near-limit", "pod-no-requests"})

ROLLOUT_STUCK = frozenset({"deployment-rollout-stuck", "statefulset-rollout-stuck", "daemonset-rollout-stuck"})
UNAVAILABLE = frozenset({"deployment-unavailable", "statefulset-unavailable", "daemonset-unavailable"})

# The node is lost to its pods, or says that something essential is broken: it explains whatever fails since.
LOST = frozenset(
    {"node-not-ready", "node-unknown", "node-lease-stale", "node-flapping", "node-network-unavailable"}
) | {"node-condition"}
_EXPLAINS: Mapping[str, frozenset[str]] = {
    "node-disk-pressure": frozenset({"pod-evicted", "pod-failed", "pod-image-pull", "pod-pending"}),
    "node-memory-pressure": frozenset({"pod-evicted", "pod-failed", "pod-oom-killed", "pod-restarts"}),
    "node-pid-pressure": frozenset(
        {"pod-evicted", "pod-failed", "pod-crash-loop", "pod-restarts", "pod-liveness-failing", "pod-readiness-failing"}
    ),
}
# Follow from a lost node whenever they began: nobody can tell or end the pod.
_FOLLOWS = frozenset({"pod-on-not-ready-node", "pod-unknown", "pod-stuck-terminating"})
# A pod's trouble may be seen a little before its node's: the control plane waits 50 s before it calls a node silent.
_SLACK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingPod:
    """A pod with findings that tell of failure, and where it stands."""

    key: ObjectKey
    node: str  # empty while unscheduled, or when it is gone
    workload: ObjectKey  # the top one; itself when there is none
    revision: str  # of its template
    findings: tuple[Finding, ...]

    @property
    def began_at(self) -> datetime:
        return min(finding.since for finding in self.findings)

    @property
    def misconfigured(self) -> bool:
        """What it names is not there: it fails on any node, and so says nothing of its own."""
        return any(
            finding.code == "pod-config-error" and finding.evidence.get("reason") == "CreateContainerConfigError"
            for finding in self.findings
        )

    @property
    def belongs_to_nothing(self) -> bool:
        """Made by a person, or by a kubelet from a file."""
        return self.workload == self.key


def is_failure(finding: Finding) -> bool:
    return finding.severity is not Severity.INFO and finding.code not in QUIET | REMAINS | WAITING


def explains(node_findings: Iterable[Finding], finding: Finding) -> bool:
    """Whether what is wrong with its node explains a pod's finding."""
    if finding.code in QUIET or finding.severity is Severity.INFO:
        return False
    for cause in node_findings:
        if cause.code in LOST and finding.code in _FOLLOWS:
            return True
        if (cause.code in LOST or finding.code in _EXPLAINS.get(cause.code, ())) and (
            finding.since >= cause.since - _SLACK
        ):
            return True
    return False


def failing_pod(findings: Sequence[Finding], row: PodRow | None, snapshot: ClusterSnapshot) -> FailingPod:
    """Of the findings about one pod; of one that is gone no more is known than they tell."""
    key = findings[0].object.key
    return FailingPod(
        key=key,
        node=row.node if row else "",
        workload=workload_of(row, snapshot) if row else key,
        revision=revision_of(row) if row else "",
        findings=tuple(findings),
    )


def workload_of(pod: PodRow, snapshot: ClusterSnapshot) -> ObjectKey:
    """What is healed as a whole: the top workload; of a Job's pod the Job; a pod that belongs to none is its own."""
    if pod.owner is None or pod.owner.kind == "Node":
        return pod.key
    if pod.owner.kind == "Job":
        return ObjectKey("Job", pod.namespace, pod.owner.name)
    return snapshot.top_owner(pod)


def revision_of(pod: PodRow) -> str:
    """Hash of the template that it was made from; empty for what has no revisions."""
    labels = pod.labels
    return labels.get("pod-template-hash") or labels.get("controller-revision-hash") or ""
