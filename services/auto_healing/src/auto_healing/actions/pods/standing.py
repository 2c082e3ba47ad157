"""Why a pod is not to be taken away, however that is done. Pure: the same before the step and during it."""

from auto_healing.kube.cluster import Manifest
from common.cluster.rows import ROW_KINDS, PodDisruptionBudgetRow, PodRow, kind_name
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey

KNOWN_KINDS = frozenset(kind_name(kind) for kind in ROW_KINDS)
NONE_MISSING = frozenset({"0", "0%"})
SECONDS_TO_START = 15.0  # of a replacement, a guess for plans: schedule, start, become ready
USUAL_GRACE_SECONDS = 30.0  # terminationGracePeriodSeconds, unless the pod says otherwise


def refusal_of(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    """One sentence, or empty when it may go: somebody makes it again, and somebody is there to end it."""
    if pod.mirror:
        return f"{pod.name} is a static pod of node {pod.node}: only the kubelet's file can change it"
    if pod.deleted_at is not None:
        return f"{pod.name} is being deleted already"
    return _never_made_again(pod, snapshot) or _nobody_ends_it(pod, snapshot)


def _never_made_again(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    if pod.owner is None:
        return f"{pod.name} has no controller: nobody would make it again"
    owner = f"{pod.owner.kind} {pod.owner.name}"
    if pod.owner.kind == "Job" and pod.finished:
        return f"{pod.name} has ended and is the record of {owner}: clean-jobs removes it in its time"
    source = snapshot.sources.get(pod.owner.kind)
    if pod.owner.kind not in KNOWN_KINDS or source is None or source.state is not SourceState.SYNCED:
        return ""
    found = snapshot.find(ObjectKey(pod.owner.kind, pod.namespace, pod.owner.name))
    if found is None or found.uid != pod.owner.uid:
        return f"{owner} of {pod.name} is gone: nobody would make the pod again"
    if found.deleted_at is not None:
        return f"{owner} of {pod.name} is being deleted: nobody would make the pod again"
    return ""


def _nobody_ends_it(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    if not pod.node or pod.finished:
        return ""
    node = snapshot.node(pod.node)
    if node is not None and node.ready:
        return ""
    state = "is gone" if node is None else "is not Ready"
    why = f"node {pod.node} of {pod.name} {state}: nobody there would end the pod"
    if pod.owner is not None and pod.owner.kind == "DaemonSet":
        return f"{why}, and its DaemonSet makes no other one elsewhere"
    return f"{why}; reschedule-from-node is for this"


def never_evictable(pod: PodRow, snapshot: ClusterSnapshot) -> str:
    """Why no budget will ever let it go, however long one waits."""
    if pod.phase != "Running":  # whoever does not run, the Eviction API lets go whatever the budgets say
        return ""
    pdbs = sorted(snapshot.pdbs_of(pod), key=lambda pdb: pdb.name)
    if len(pdbs) > 1:
        names = ", ".join(pdb.name for pdb in pdbs)
        return f"{len(pdbs)} PodDisruptionBudgets select {pod.name} ({names}): the Eviction API refuses it for ever"
    if pod.ready and pdbs and _allows_none_ever(pdbs[0]):
        return (
            f"PodDisruptionBudget {pdbs[0].name} wants {pdbs[0].desired_healthy} healthy of {pdbs[0].expected_pods}: "
            f"it never lets {pod.name} go; restart-surge-first starts another one before"
        )
    return ""


def _allows_none_ever(pdb: PodDisruptionBudgetRow) -> bool:
    """At this size. A budget whose status is behind its spec tells nothing."""
    if pdb.observed_generation < pdb.generation or not pdb.expected_pods:
        return False
    return pdb.max_unavailable in NONE_MISSING or pdb.desired_healthy >= pdb.expected_pods


def without_headroom(pod: PodRow, snapshot: ClusterSnapshot) -> list[str]:
    """Names of budgets that count the pod as healthy and allow no disruption now."""
    if not pod.ready:
        return []
    return sorted(pdb.name for pdb in snapshot.pdbs_of(pod) if pdb.disruptions_allowed <= 0)


def gentle_grace(pod: Manifest) -> int | None:
    """The pod's own grace. Where that is 0 a second: at 0 the API server forgets the pod while it may still run."""
    return 1 if pod["spec"].get("terminationGracePeriodSeconds") == 0 else None
