"""What is displaced must run again somewhere."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import PACED_BY_CONTROLLER, TAKING_PODS
from auto_healing.plan import Decline, Displacement, Mode, Step
from common.cluster.rows import NodeRow, PodRow

_AGAIN = timedelta(minutes=2)
_NOT_PLACED_AGAIN = frozenset({"DaemonSet", "Node"})  # their pods belong to one node


class Capacity:
    code: ClassVar[str] = "capacity"
    title: ClassVar[str] = "Will every pod that is displaced run again elsewhere?"
    looks_at: ClassVar[str] = (
        "The plan's own simulation: the destination of every displaced pod, found with capacity taken off from pod to "
        "pod, and whether that node still takes pods now; pods that nobody would make again; and workloads whose only "
        "ready replica would go, which needs a surge first, or a person's approval."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        if step.action in TAKING_PODS and not step.displaces:
            return self._no("Nobody has worked out where the pod would run again: plan it anew", facts)
        for displacement in step.displaces:
            pod = facts.snapshot.get(PodRow, displacement.pod.name, displacement.pod.namespace)
            if pod is None or displacement.pod.uid not in {"", pod.uid}:
                continue  # it is gone, and its replacement was placed
            for decline in (*self._place(displacement, pod, facts), *self._outage(step, displacement, pod, facts)):
                return decline
        return None

    def _no(self, message: str, facts: Facts, **numbers: str | int) -> Decline:
        return Decline(guard=self.code, message=message, numbers=numbers, look_again_at=facts.now + _AGAIN)

    def _place(self, displacement: Displacement, pod: PodRow, facts: Facts) -> Iterator[Decline]:
        name = f"{pod.namespace}/{pod.name}"
        if (
            pod.finished
            or pod.deleted_at is not None
            or (pod.owner is not None and pod.owner.kind in _NOT_PLACED_AGAIN)
        ):
            return
        if pod.owner is None:
            if not self._approved(facts):
                yield self._no(f"Pod {name} has no owner that would make it again", facts, pod=name)
        elif not displacement.to_node:
            why = displacement.reason or "no node takes it"
            yield self._no(f"Pod {name} would not run again: {why}", facts, pod=name)
        elif reason := _closed(displacement.to_node, facts):
            yield self._no(f"Pod {name} was to run on node {displacement.to_node}, which {reason}", facts, pod=name)

    def _outage(self, step: Step, displacement: Displacement, pod: PodRow, facts: Facts) -> Iterator[Decline]:
        """A pod that is not ready serves nobody: taking it away takes nothing."""
        if not displacement.outage or not pod.ready or step.action in PACED_BY_CONTROLLER:
            return
        if facts.settings.capacity.outages == "approval" and not self._approved(facts):
            name = f"{pod.namespace}/{pod.name}"
            yield self._no(
                f"Pod {name} is the only ready replica of its workload: surge first, or have it approved",
                facts,
                pod=name,
            )

    def _approved(self, facts: Facts) -> bool:
        """By the person who asks, or who says yes before it runs, with the plan before their eyes."""
        return facts.by_hand or facts.plan.mode is Mode.APPROVE


def _closed(name: str, facts: Facts) -> str:
    node: NodeRow | None = facts.snapshot.node(name)
    if node is None:
        return "is gone"
    if node.unschedulable:
        return "is cordoned now"
    return "" if node.ready else "is not ready now"
