"""What taking pods away means: where each one's replacement would run, and what would suffer."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from auto_healing.placement import reasons
from auto_healing.placement.budgets import Budgets
from auto_healing.placement.replicas import Replicas
from auto_healing.placement.scheduler import Scheduler
from auto_healing.plan import Displacement
from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot


class _Loss(NamedTuple):
    """What a pod's going means, whatever place is found for it."""

    reason: str  # why none is looked for
    stays: bool  # it is made again where it was
    blocked_by: tuple[str, ...]
    outage: bool


class Placements:
    """Remembers from call to call what was taken away and given away.

    Cheap to make and to copy: what is known of nodes and pods is read when it is first needed. Use it before the
    snapshot changes, or over a snapshot that does not.
    """

    def __init__(self, snapshot: ClusterSnapshot, now: datetime) -> None:
        self._now = now
        self._scheduler = Scheduler(snapshot)
        self._budgets = Budgets(snapshot)
        self._replicas = Replicas(snapshot, self._scheduler.moves)
        self._back: list[PodRow] = []  # placed since it was last settled

    def copy(self) -> "Placements":
        other = object.__new__(Placements)
        other._now = self._now
        other._scheduler = self._scheduler.copy()
        other._budgets = self._budgets.copy()
        other._replicas = self._replicas.copy(other._scheduler.moves)
        other._back = list(self._back)
        return other

    def displace(
        self,
        pods: Iterable[PodRow],
        *,
        without_nodes: frozenset[str] = frozenset(),
        now: datetime | None = None,
        evicted: bool = True,
    ) -> tuple[Displacement, ...]:
        """One for each pod, in their order, which is the order in which they go.

        Nothing is placed on `without_nodes`, now and in later calls. Pods that are not `evicted`, but lost with their
        node or deleted, ask no disruption budget. A pod that was displaced already is displaced once.
        """
        self._scheduler.take_away(without_nodes)
        leaving = {pod.uid: pod for pod in pods if not self._scheduler.moves.is_gone(pod)}
        losses = {uid: self._leave(pod, now or self._now, evicted=evicted) for uid, pod in leaving.items()}
        queue = _queue([pod for uid, pod in leaving.items() if not losses[uid].reason])
        places = {pod.uid: self._place(pod) for pod in queue}
        return tuple(_displacement(pod, losses[uid], places.get(uid)) for uid, pod in leaving.items())

    def settle(self) -> None:
        """Time passes: replacements that found a place are ready, and count for replicas and disruption budgets."""
        for pod in self._back:
            self._budgets.settle(pod)
            self._replicas.settle(pod)
        self._back.clear()

    def refusal(self, pod: PodRow, node: NodeRow) -> str:
        """Why the pod could not run on the node now; empty when it could."""
        return self._scheduler.refusal(pod, node)

    def _leave(self, pod: PodRow, now: datetime, *, evicted: bool) -> _Loss:
        """What holds before a place is looked for."""
        reason, stays = self._no_place(pod, now)
        blocked_by = self._budgets.evict(pod) if evicted else ()
        loss = _Loss(reason, stays, blocked_by, self._replicas.leave(pod))
        if not stays:
            self._scheduler.leave(pod)
        return loss

    def _place(self, pod: PodRow) -> tuple[str, str]:
        node, reason = self._scheduler.place(pod)
        if node:
            self._back.append(pod)
        return node, reason

    def _no_place(self, pod: PodRow, now: datetime) -> tuple[str, bool]:
        """Why no place is looked for, or nothing; and whether it is made again where it was."""
        if pod.finished:
            return reasons.ENDED, False
        if pod.deleted_at is not None:
            late = (now - pod.deleted_at).total_seconds()
            return reasons.DELETED + (f"; it should have been gone {late:.0f} s ago" if late > 0 else ""), False
        if pod.mirror or (pod.owner is not None and pod.owner.kind in {"Node", "DaemonSet"}):
            reason = reasons.STATIC if pod.owner is None or pod.owner.kind == "Node" else reasons.DAEMON
            return reason, bool(pod.node) and not self._scheduler.is_away(pod.node)
        return ("", False) if pod.owner is not None else (reasons.NO_OWNER, False)


def _displacement(pod: PodRow, loss: _Loss, place: tuple[str, str] | None) -> Displacement:
    node, reason = place or (pod.node if loss.stays else "", loss.reason)
    return Displacement(
        pod=pod.key.ref(pod.uid),
        from_node=pod.node,
        to_node=node,
        reason=reason,
        blocked_by=loss.blocked_by,
        outage=loss.outage,
        fits_nowhere=place is not None and not node,
    )


def _queue(pods: Sequence[PodRow]) -> list[PodRow]:
    """In the scheduler's order: by priority. Among equals those that look for the same come one after the other."""
    groups: dict[tuple[int, object], list[PodRow]] = {}
    for pod in pods:
        group = (-pod.scheduling.priority, (pod.requests, pod.tolerations, id(pod.scheduling.node_selector)))
        groups.setdefault(group, []).append(pod)
    return [pod for group in sorted(groups, key=lambda group: group[0]) for pod in groups[group]]
