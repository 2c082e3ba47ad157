"""Waits until the volumes of pods that left a node are detached: only then can they be attached elsewhere."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from auto_healing.actions.action import Doing
from common.cluster.rows import PersistentVolumeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot

LONGEST = timedelta(minutes=2)
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 10.0  # between two looks


async def detached(doing: Doing, staying: Collection[PodRow]) -> int:
    """How many are still attached after two minutes, or the deadline; those of pods that stay do not count."""
    until = min(doing.clock.now() + LONGEST, doing.deadline)
    kept = {(pod.namespace, claim) for pod in staying for claim in pod.claims}
    delay = FIRST_SECONDS
    while left := await _attached(doing, kept):
        if doing.clock.now() >= until:
            break
        await asyncio.sleep(max(0.0, min(delay, (until - doing.clock.now()).total_seconds())))
        delay = min(2 * delay, LONGEST_SECONDS)
    return left


async def _attached(doing: Doing, kept: Collection[tuple[str, str]]) -> int:
    """There is no selector for the node of an attachment, so that all of them are read."""
    node, count = doing.step.target.name, 0
    for attachment in await doing.cluster.list("VolumeAttachment"):
        spec = attachment["spec"]
        if spec.get("nodeName") == node:
            volume = (spec.get("source") or {}).get("persistentVolumeName") or ""
            count += _claim_of(doing.snapshot, volume) not in kept
    return count


def _claim_of(snapshot: ClusterSnapshot, volume: str) -> tuple[str, str]:
    found = snapshot.get(PersistentVolumeRow, volume)
    return (found.claim_namespace, found.claim_name) if found is not None else ("", "")
