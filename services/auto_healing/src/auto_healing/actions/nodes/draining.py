"""One drain under way: wave after wave leaves the node. The pods are read anew all the time: a crash loses nothing."""

import asyncio
from collections.abc import Sequence

from auto_healing.actions.action import Doing, Result
from auto_healing.actions.evidence import keep_evidence
from auto_healing.actions.nodes.departure import Departure, departure, ends_by_itself, stays_because
from auto_healing.actions.nodes.evictions import evict_patiently
from auto_healing.actions.nodes.evidence import keep_node_evidence
from auto_healing.actions.nodes.progress import Progress, named, ref_of
from auto_healing.actions.nodes.sickness import unreachable
from auto_healing.actions.nodes.vigil import Stop, Vigil
from auto_healing.actions.nodes.volumes import detached
from auto_healing.kube.cluster import EvictionBlocked
from auto_healing.kube.rows import live_row
from common.cluster.rows import PodRow

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 2.0  # between two looks at the pods of the node


class Draining:
    """`parallel` evictions at a time; pods without a controller leave only with `bare_too`.

    Ends by returning, or by the Stop and OutOfTime of the vigil.
    """

    def __init__(self, doing: Doing, vigil: Vigil, *, parallel: int, bare_too: bool) -> None:
        self._doing = doing
        self._vigil = vigil
        self._slots = asyncio.Semaphore(parallel)
        self._bare_too = bare_too
        self._stuck: set[str] = set()  # uids of pods that were told to go, with nobody there to obey
        self.progress = Progress()

    async def carry_out(self) -> None:
        """Until nobody is left who can leave, and their volumes are detached."""
        leaving = await self._look()
        if leaving.waves:
            await keep_node_evidence(self._doing)
        while leaving.waves:
            await self._send_away(leaving.waves[0])
            await self._wait_for(leaving.waves[0])
            leaving = await self._look()
        if not self._stuck:
            staying = [pod for pod in await self._pods() if not pod.finished]
            self.progress.volumes_attached = await detached(self._doing, staying)

    async def count(self) -> None:
        """Bring what is left up to date, at the end."""
        self.progress.left = tuple(pod for pod in await self._pods() if stays_because(pod) is None)

    async def _look(self) -> Departure:
        await self._vigil.look(closely=True)
        leaving = departure(await self._pods(), self._stuck)
        self.progress.stays = {f"{why}": count for why, count in leaving.stays.items()}
        if leaving.bare and not self._bare_too:
            raise Stop(Result.FAILED, f"no controller would make these pods anew: {named(leaving.bare)}")
        return leaving

    async def _send_away(self, wave: Sequence[PodRow]) -> None:
        told = [pod for pod in wave if pod.deleted_at is None and not ends_by_itself(pod)]
        try:
            async with asyncio.TaskGroup() as group:
                for pod in told:
                    group.create_task(self._evict(pod))
        except BaseExceptionGroup as errors:
            # The first one ended the others: it is the reason.
            raise errors.exceptions[0] from None

    async def _evict(self, pod: PodRow) -> None:
        ref = ref_of(pod)

        async def once() -> bool:
            async with self._slots:  # not while this one waits: the next may be allowed to go
                return await self._doing.cluster.evict(ref)

        def blocked_by(pdbs: Sequence[str]) -> None:
            self.progress.blocked[ref] = tuple(pdbs)

        async with self._slots:
            await self._keep(pod)
        try:
            evicted = await evict_patiently(
                once, before_each=self._vigil.look, on_blocked=blocked_by, left=lambda: self._doing.left
            )
        except EvictionBlocked as blocked:
            names = ", ".join(blocked.pdbs)
            told = f"{pod.namespace}/{pod.name} can never be evicted, since several PDBs select it: {names}"
            raise Stop(Result.BLOCKED, told) from blocked
        self.progress.evicted += evicted
        self.progress.blocked.pop(ref, None)

    async def _keep(self, pod: PodRow) -> None:
        """Evidence of what is ill, since its logs leave with it; the whole of what nobody makes anew."""
        ref = ref_of(pod)
        if not pod.ready:
            await keep_evidence(self._doing, ref)
        if pod.owner is None and (manifest := await self._doing.cluster.read(ref)) is not None:
            await self._doing.store.save_manifest(manifest)

    async def _wait_for(self, wave: Sequence[PodRow]) -> None:
        """Until none of the wave runs any more; what cannot obey is left as stuck."""
        waited_for, delay = {pod.uid for pod in wave}, FIRST_SECONDS
        while True:
            await self._vigil.look()
            there = {pod.uid: pod for pod in await self._pods() if pod.uid in waited_for and not pod.finished}
            self.progress.gone += len(waited_for) - len(there)
            waited_for = set(there)
            stuck = {uid for uid, pod in there.items() if self._deaf(pod)}
            self._stuck |= stuck
            if not waited_for - stuck:
                return
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_SECONDS)

    def _deaf(self, pod: PodRow) -> bool:
        """Told to go, out of its grace, and its kubelet has not been heard of: it may stay like this for ever."""
        node = self._vigil.node
        overdue = pod.deleted_at is not None and pod.deleted_at <= self._doing.clock.now()
        return overdue and node is not None and unreachable(node)

    async def _pods(self) -> list[PodRow]:
        found = await self._doing.cluster.list("Pod", fields=f"spec.nodeName={self._doing.step.target.name}")
        return [live_row(PodRow, manifest) for manifest in found]
