"""Pods that hold a StatefulSet's rollout up.

Its controller waits for a pod that never gets ready before it replaces any, even when that one is to be replaced:
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from auto_healing.actions.action import Doing
from auto_healing.actions.evidence import keep_evidence
from auto_healing.actions.pods.standing import gentle_grace
from auto_healing.actions.waiting import until
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.revisions import REVISION_HASH, controller_of, is_ready, selector_text
from auto_healing.kube.rows import ref_of

INDEX = "apps.kubernetes.io/pod-index"  # label: the pod's ordinal


async def _observed(doing: Doing) -> bool:
    """Whether the controller knows the template that was put back: before, it would make the same pods again."""
    found = await doing.cluster.read(doing.step.target)
    return found is None or found["status"].get("observedGeneration", 0) >= found["metadata"]["generation"]


async def free_stuck_pods(doing: Doing) -> int:
    """Delete the StatefulSet's unready pods that are not of the wanted revision; how many. Their evidence is kept."""
    target = doing.step.target
    if target.kind != "StatefulSet" or not await until(doing, lambda: _observed(doing)):
        return 0
    found = await doing.cluster.read(target)
    if found is None:
        return 0
    labels = selector_text(found["spec"].get("selector") or {})
    pods = await doing.cluster.list("Pod", target.namespace, labels=labels)
    freed = 0
    for pod in pods:
        if _is_stuck(pod, found):
            ref = ref_of(pod)
            await keep_evidence(doing, ref, found=pod)
            freed += await doing.cluster.delete(ref, grace_seconds=gentle_grace(pod))
    return freed


def _is_stuck(pod: Manifest, stateful_set: Manifest) -> bool:
    if controller_of(pod).get("uid") != stateful_set["metadata"]["uid"] or pod["metadata"].get("deletionTimestamp"):
        return False
    labels = pod["metadata"].get("labels") or {}
    update = stateful_set["spec"].get("updateStrategy", {}).get("rollingUpdate") or {}
    kept = int(labels.get(INDEX, 0)) < (update.get("partition") or 0)
    wanted = labels.get(REVISION_HASH) == stateful_set["status"].get("updateRevision")
    return not kept and not wanted and not is_ready(pod)
