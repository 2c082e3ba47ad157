"""What-ifs as the API shows them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from pydantic import Field

from auto_healing.plan import Displacement
from auto_healing.whatif import Part, WhatIf
from common.cluster.rows import PodDisruptionBudgetRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectRef

MOST_REASONS = 50
CHUNK = 1_000  # pods written in one go: some 2 ms, in which nothing else runs


class Shown(StrEnum):
    """Which pods an answer lists."""

    ALL = "all"
    TROUBLED = "troubled"  # those that fit nowhere, are held up by a budget, or are their workload's last
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Of all pods, whether they are listed or not."""

    nodes: Annotated[int, Field(description="That are drained or lost")]
    pods: Annotated[int, Field(description="That are taken away")]
    placed: Annotated[int, Field(description="That would run again, and where is known")]
    fit_nowhere: Annotated[int, Field(description="That would stay Pending")]
    not_made_again: Annotated[int, Field(description="That end, or belong to their node")]
    held_up: Annotated[int, Field(description="Whose eviction a PodDisruptionBudget forbids when their turn comes")]
    outages: Annotated[int, Field(description="Workloads whose last ready pod goes")]
    reasons: Annotated[
        Mapping[str, int], Field(description="Why pods find no place or need none, and how many; the most frequent")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockingBudget:
    """A PodDisruptionBudget that holds pods up."""

    namespace: str
    name: str
    disruptions_allowed: Annotated[int, Field(description="Evictions that it allows now, before the first")]
    pods: Annotated[int, Field(description="That it holds up")]
    message: Annotated[str, Field(description="What that means, for people")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A workload whose last ready pod goes."""

    workload: ObjectRef
    pod: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShown:
    """A plan that nobody carries out, for the cluster as it is `at` that instant.

    It counts on no new node and no preemption, and leaves out of account what is pending already, device claims, and
    extended resources other than the usual GPUs, TPUs and hugepages.
    """

    at: datetime
    allowed: Annotated[bool, Field(description="Whether no guard and no precondition would stop any part now")]
    expected_seconds: Annotated[float, Field(description="Of all parts together; an estimate")]
    totals: Totals
    parts: Annotated[Sequence[Part], Field(description="In order; each names what would decline it")]
    blocking_budgets: Sequence[BlockingBudget]
    outages: Sequence[Outage]
    notes: Annotated[Sequence[str], Field(description="What else to know")]
    displaced: Annotated[
        Sequence[Displacement],
        Field(description="Each pod, in the order in which they go: where its replacement would run, or why nowhere"),
    ]


def body_of(plan: WhatIf, snapshot: ClusterSnapshot, at: datetime, shown: Shown) -> bytes:
    """The JSON of a PlanShown, pods last: they are written in pieces, so that other threads get their turn."""
    outages = [each for each in plan.displaced if each.outage]
    head = PlanShown(
        at=at,
        allowed=not any(part.declined for part in plan.parts),
        expected_seconds=sum(part.expected_seconds for part in plan.parts),
        totals=_totals(plan),
        parts=plan.parts,
        blocking_budgets=_blocking(plan.displaced, snapshot),
        outages=[Outage(workload=_workload(each, snapshot), pod=each.pod) for each in outages],
        notes=plan.notes,
        displaced=(),
    )
    written = msgspec.json.encode(head)
    pods = b",".join(_pieces([each for each in plan.displaced if _is_shown(each, shown)]))
    return written.removesuffix(b"]}") + pods + b"]}"


def _pieces(displaced: Sequence[Displacement]) -> Iterator[bytes]:
    for start in range(0, len(displaced), CHUNK):
        yield msgspec.json.encode(displaced[start : start + CHUNK])[1:-1]


def _is_shown(each: Displacement, shown: Shown) -> bool:
    if shown is Shown.TROUBLED:
        return each.fits_nowhere or bool(each.blocked_by) or each.outage
    return shown is Shown.ALL


def _totals(plan: WhatIf) -> Totals:
    displaced = plan.displaced
    placed = sum(bool(each.to_node) for each in displaced)
    nowhere = sum(each.fits_nowhere for each in displaced)
    return Totals(
        nodes=plan.nodes,
        pods=len(displaced),
        placed=placed,
        fit_nowhere=nowhere,
        not_made_again=len(displaced) - placed - nowhere,
        held_up=sum(bool(each.blocked_by) for each in displaced),
        outages=sum(each.outage for each in displaced),
        reasons=dict(Counter(each.reason for each in displaced if each.reason).most_common(MOST_REASONS)),
    )


def _blocking(displaced: Sequence[Displacement], snapshot: ClusterSnapshot) -> list[BlockingBudget]:
    held = Counter((each.pod.namespace, name) for each in displaced for name in each.blocked_by)
    never = {(each.pod.namespace, name) for each in displaced if len(each.blocked_by) > 1 for name in each.blocked_by}
    return [
        _budget(namespace, name, pods, snapshot, never=(namespace, name) in never)
        for (namespace, name), pods in sorted(held.items())
    ]


def _budget(namespace: str, name: str, pods: int, snapshot: ClusterSnapshot, *, never: bool) -> BlockingBudget:
    row = snapshot.get(PodDisruptionBudgetRow, name, namespace)
    allowed = row.disruptions_allowed if row else 0
    if never:
        message = "it is one of several that select the same pod, which therefore can never be evicted: leave one"
    elif allowed > 0:
        message = f"it allows {allowed} at a time: the others wait until replacements are ready"
    else:
        message = "it allows no eviction now: its pods wait until more of them are ready, or the budget is loosened"
    return BlockingBudget(namespace=namespace, name=name, disruptions_allowed=allowed, pods=pods, message=message)


def _workload(each: Displacement, snapshot: ClusterSnapshot) -> ObjectRef:
    pod = snapshot.find(each.pod.key)
    if not isinstance(pod, PodRow):
        return each.pod
    key = snapshot.top_owner(pod)
    row = snapshot.find(key)
    return key.ref(row.uid if row else "")
