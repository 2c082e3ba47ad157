"""The last lines of containers, current and previous, for whoever asks later why a pod had to go."""

import asyncio
from collections.abc import Mapping
from typing import Any

from auto_healing.kube.cluster import Cluster, Manifest
from auto_healing.kube.redaction import text
from auto_healing.kube.revisions import REVISED, is_ready, selector_text
from auto_healing.kube.rows import ref_of
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectRef
from common.kube.errors import KubeError
from common.logs import redacted

LINES = 100
CHARACTERS = 16_384  # of one log, its end
CONTAINERS = 10
FAILING_PODS = 2  # of a workload, whose logs are kept

Logs = dict[str, Any]


async def kept_logs(cluster: Cluster, found: Manifest, snapshot: ClusterSnapshot) -> Logs:
    """Current and previous, by container, of the pod or of some of the workload's failing pods."""
    if found["kind"] == "Pod":
        return await _logs_of(cluster, found, snapshot)
    if found["kind"] not in REVISED:
        return {}
    selector = selector_text(found["spec"].get("selector") or {})
    pods = await cluster.list("Pod", found["metadata"]["namespace"], labels=selector)
    failing = [pod for pod in pods if not is_ready(pod)][:FAILING_PODS]
    logs = await asyncio.gather(*(_logs_of(cluster, pod, snapshot) for pod in failing))
    return {pod["metadata"]["name"]: log for pod, log in zip(failing, logs, strict=True)}


async def _logs_of(cluster: Cluster, pod: Manifest, snapshot: ClusterSnapshot) -> Logs:
    spec, status = pod["spec"], pod.get("status", {})
    ref = ref_of(pod)
    node = snapshot.node(spec.get("nodeName", ""))
    names = [each["name"] for each in (*(spec.get("initContainers") or ()), *spec["containers"])][:CONTAINERS]
    reported = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    statuses = {each["name"]: each for each in reported}
    if not spec.get("nodeName") or node is None or not node.ready:
        why = f"node {node.name} is not Ready, its kubelet was not asked" if node else "it runs on no node"
        return {name: {"current": {"missing": why}, "previous": {"missing": why}} for name in names}
    logs = await asyncio.gather(*(_log_of(cluster, ref, name, statuses.get(name, {})) for name in names))
    return dict(zip(names, logs, strict=True))


async def _log_of(cluster: Cluster, pod: ObjectRef, container: str, status: Mapping[str, Any]) -> Logs:
    async def log(*, previous: bool) -> Logs:
        try:
            whole = await cluster.logs(pod, container, previous=previous, lines=LINES)
        except KubeError as error:
            return {"missing": text(str(error), 300)}
        return {"text": redacted(whole)[-CHARACTERS:]}

    if not status.get("restartCount"):
        return {"current": await log(previous=False), "previous": {"missing": "it has not been restarted"}}
    current, previous = await asyncio.gather(log(previous=False), log(previous=True))
    return {"current": current, "previous": previous}
