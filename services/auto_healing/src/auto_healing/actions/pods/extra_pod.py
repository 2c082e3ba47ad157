"""Replace one pod of a Deployment without ever having fewer: one replica more for a while, then one less.

The pod that goes is marked as the cheapest to delete, and the Deployment's own scaling down takes it:
https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from auto_healing.actions.action import Change, Doing, Outcome, Result
from auto_healing.actions.evidence import keep_evidence
from auto_healing.actions.pods.evict_pod import evict
from auto_healing.actions.pods.leaving import Leaving
from auto_healing.actions.pods.standing import gentle_grace
from auto_healing.actions.rollouts.workloads import mark_of
from auto_healing.actions.waiting import until
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.revisions import is_ready, selector_text
from auto_healing.kube.rows import live_row
from auto_healing.marks import OWNED_BY_RUN
from common.cluster.rows import PodRow
from common.contracts import ObjectRef
from common.kube.errors import Conflict, NotFound

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
CHEAPEST = str(-(2**31))
PATH = ("spec", "replicas")
SCALING_TRIES = 5  # against others who change the Deployment at the same moment


class ExtraPod:
    """One such replacement. `deployment` and `pod` are as seen; a second try finds the extra replica by its mark."""

    def __init__(self, doing: Doing, deployment: ObjectRef, pod: ObjectRef, lease: timedelta) -> None:
        self._doing = doing
        self._deployment = deployment
        self._pod = pod
        self._lease = lease

    async def replace(self, found: Manifest) -> Outcome:
        """`found` is the Deployment as just read."""
        ours = mark_of(found) == self._doing.mark
        replicas = found["spec"]["replicas"] - (1 if ours else 0)
        evidence = await keep_evidence(self._doing, self._pod)
        lease = await self._doing.store.lease(self._change(replicas))
        if not ours:
            await self._scale(found, replicas + 1, self._doing.mark)
        ready = await until(self._doing, lambda: self._others_ready(replicas))
        if ready:
            await self._mark_cheapest()
        await self._scale_back(replicas)
        await self._doing.store.release(lease)
        if ready:
            return await self._gone(replicas, evidence)
        message = f"no other pod became Ready in time: {self._pod.name} was left, and the extra one was taken back"
        return Outcome(result=Result.BLOCKED, message=message, numbers={"evidence": str(evidence)})

    async def take_back(self, found: Manifest) -> None:
        """The extra replica, before it has taken anybody's place. `found` is the Deployment, marked as ours."""
        replicas = found["spec"]["replicas"] - 1
        lease = await self._doing.store.lease(self._change(replicas))  # the same again, to know it
        await self._scale_back(replicas)
        await self._doing.store.release(lease)

    def _change(self, replicas: int) -> Change:
        return Change(
            target=self._deployment,
            what=f"one replica more, to replace {self._pod.name}: {self._doing.step.reason}",
            path=PATH,
            before=replicas,
            after=replicas + 1,
            until=self._doing.clock.now() + self._lease,
        )

    async def _gone(self, replicas: int, evidence: UUID) -> Outcome:
        """After the scaling down. Where that took another pod, which was not Ready at that moment, it is evicted."""
        await until(self._doing, lambda: self._settled(replicas))
        pod = await self._doing.cluster.read(self._pod)
        if pod is not None and "deletionTimestamp" not in pod["metadata"]:
            return await evict(self._doing, Leaving(live_row(PodRow, pod), gentle_grace(pod), evidence))
        message = f"{self._pod.name} was replaced: another pod was Ready before it went"
        return Outcome(result=Result.DONE, message=message, numbers={"evidence": str(evidence)})

    async def _settled(self, replicas: int) -> bool:
        """Whether the scaling down is over, whichever pod it took."""
        pod = await self._doing.cluster.read(self._pod)
        found = await self._doing.cluster.read(self._deployment)
        if pod is None or found is None or "deletionTimestamp" in pod["metadata"]:
            return True
        status = found["status"]
        seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        return bool(seen and status.get("replicas", 0) <= replicas)

    async def _scale(self, found: Manifest, replicas: int, mark: str | None) -> None:
        body = {"metadata": {"annotations": {OWNED_BY_RUN: mark}}, "spec": {"replicas": replicas}}
        version = found["metadata"]["resourceVersion"]
        await self._doing.cluster.patch(self._deployment, body, resource_version=version)

    async def _scale_back(self, replicas: int) -> None:
        """Unless somebody has scaled it since: then theirs is what counts."""
        for last in (*[False] * (SCALING_TRIES - 1), True):
            found = await self._doing.cluster.read(self._deployment)
            if found is None or mark_of(found) != self._doing.mark:
                return
            wanted = replicas if found["spec"]["replicas"] == replicas + 1 else found["spec"]["replicas"]
            try:
                await self._scale(found, wanted, None)
            except Conflict:
                if last:
                    raise
            else:
                return

    async def _others_ready(self, replicas: int) -> bool:
        pods = await self._pods()
        return sum(is_ready(pod) for pod in pods if pod["metadata"]["uid"] != self._pod.uid) >= replicas

    async def _pods(self) -> Sequence[Manifest]:
        found = await self._doing.cluster.read(self._deployment)
        return await pods_of(self._doing, found) if found else ()

    async def _mark_cheapest(self) -> None:
        """A pod that is gone by now needs no mark."""
        with suppress(NotFound, Conflict):
            await self._doing.cluster.patch(self._pod, {"metadata": {"annotations": {DELETION_COST: CHEAPEST}}})


async def pods_of(doing: Doing, deployment: Manifest) -> Sequence[Manifest]:
    """All that its selector finds, the oldest first."""
    namespace, labels = deployment["metadata"]["namespace"], selector_text(deployment["spec"]["selector"])
    pods = await doing.cluster.list("Pod", namespace, labels=labels)
    return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
