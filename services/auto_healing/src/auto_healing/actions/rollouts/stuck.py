"""Pods that hold a StatefulSet's rollback up.

Its controller waits for a pod that never gets ready, even when the template has been put back:
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from auto_healing.actions.action import Doing
from auto_healing.actions.evidence import keep_evidence
from auto_healing.actions.pods.standing import gentle_grace
from auto_healing.actions.waiting import until
from auto_healing.kube.revisions import REVISION_HASH, controller_of, is_ready, selector_text
from auto_healing.kube.rows import ref_of


async def _observed(doing: Doing) -> bool:
    """Whether the controller knows the template that was put back: before, it would make the same pods again."""
    found = await doing.cluster.read(doing.step.target)
    return found is None or found["status"].get("observedGeneration", 0) >= found["metadata"]["generation"]


async def free_stuck_pods(doing: Doing, revision: str) -> int:
    """Delete the StatefulSet's unready pods of the revision that is left; how many. Their evidence is kept."""
    target = doing.step.target
    if target.kind != "StatefulSet" or not await until(doing, lambda: _observed(doing)):
        return 0
    found = await doing.cluster.read(target)
    if found is None:
        return 0
    labels = f"{selector_text(found['spec'].get('selector') or {})},{REVISION_HASH}={revision}"
    pods = await doing.cluster.list("Pod", target.namespace, labels=labels)
    stuck = [pod for pod in pods if not is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]
    freed = 0
    for pod in stuck:
        if controller_of(pod).get("uid") != target.uid:
            continue
        ref = ref_of(pod)
        await keep_evidence(doing, ref, found=pod)
        freed += await doing.cluster.delete(ref, grace_seconds=gentle_grace(pod))
    return freed
