"""Evict a pod by the Eviction API: gracefully, and as its budgets allow."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.evidence import EVIDENCE_PERMISSIONS
from auto_healing.actions.nodes.evictions import evict_patiently
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import only_known
from auto_healing.actions.nodes.vigil import OutOfTime
from auto_healing.actions.pods.leaving import Leaving, cannot_be_undone, prepared
from auto_healing.actions.pods.standing import (
    SECONDS_TO_START,
    USUAL_GRACE_SECONDS,
    never_evictable,
    refusal_of,
    without_headroom,
)
from auto_healing.kube.cluster import EvictionBlocked
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import PodRow, Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts.health import Scalar


class EvictPod:
    """Where a budget has no room it is tried again, ever more slowly, until the step's time is over."""

    code: ClassVar[str] = "evict-pod"
    title: ClassVar[str] = "Evict a pod gracefully, as its PodDisruptionBudget allows"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Pod"})
    expects: ClassVar[str] = "Another pod of the same owner becomes Ready."
    undoable: ClassVar[str] = ""
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="pods", verbs=("get",)),
        Permission(group="", resource="pods/eviction", verbs=("create",)),
        Permission(group="policy", resource="poddisruptionbudgets", verbs=("list",)),
        *EVIDENCE_PERMISSIONS,
    )
    parameters: ClassVar[Mapping[str, str]] = {}

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        pod = of_kind(PodRow, target)
        if refusal := refusal_of(pod, snapshot) or never_evictable(pod, snapshot):
            return Preview(refusal=refusal)
        owner = f"{pod.owner.kind} {pod.owner.name}" if pod.owner else "its controller"
        waits = without_headroom(pod, snapshot)
        first = (f"it waits until PodDisruptionBudget {', '.join(waits)} has room",) if waits else ()
        return Preview(
            displaced=(pod.key.ref(pod.uid),),
            changes=(*first, f"{pod.name} is evicted, with its own grace", f"{owner} makes another pod"),
            expected_seconds=USUAL_GRACE_SECONDS + SECONDS_TO_START,
        )

    async def apply(self, doing: Doing) -> Outcome:
        leaving = await prepared(doing)
        return leaving if isinstance(leaving, Outcome) else await evict(doing, leaving)

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return cannot_be_undone()


async def evict(doing: Doing, leaving: Leaving) -> Outcome:
    """Until it is evicted, can never be, or there is no more time: then the budget that forbids it is named."""
    tries = 0
    pdbs: tuple[str, ...] = ()
    ref = leaving.pod.key.ref(leaving.pod.uid)

    async def in_time() -> None:
        nonlocal tries
        if tries and doing.left.total_seconds() <= 0:
            raise OutOfTime
        tries += 1

    def blocked_by(names: Sequence[str]) -> None:
        nonlocal pdbs
        pdbs = tuple(names)

    result, message = Result.DONE, f"{ref.name} was evicted; its controller makes another one"
    try:
        there = await evict_patiently(
            lambda: doing.cluster.evict(ref, grace_seconds=leaving.grace_seconds),
            before_each=in_time,
            on_blocked=blocked_by,
            left=lambda: doing.left,
        )
        if not there:
            result, message = Result.ALREADY, f"{ref.name} is gone already"
    except OutOfTime:
        result = Result.BLOCKED
        message = f"PodDisruptionBudget {', '.join(pdbs)} gave no room for the eviction of {ref.name} in time"
    except EvictionBlocked as refused:
        result, message = Result.FAILED, str(refused)
    numbers: dict[str, Scalar] = {"evidence": str(leaving.evidence), "tries": tries, "blocked_by": ", ".join(pdbs)}
    return Outcome(result=result, message=message, numbers=numbers)
