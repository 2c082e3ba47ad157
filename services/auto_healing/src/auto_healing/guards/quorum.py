"""A control plane lives on its majority."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.census import is_control_plane
from auto_healing.guards.disruption_budget import worked_on_nodes
from auto_healing.guards.steps import census_of, displaced_pods, row_of
from auto_healing.plan import Decline, Step
from common.cluster.rows import NodeRow, PodRow
from common.contracts.health import Scalar

_AGAIN = timedelta(minutes=1)
_NAMESPACE = "kube-system"
_ETCD, _API = "etcd", "kube-apiserver"


class Quorum:
    code: ClassVar[str] = "quorum"
    title: ClassVar[str] = "Does the control plane keep its majority?"
    looks_at: ClassVar[str] = (
        "For a control-plane node, and for pods of etcd and of the API server: that no other control-plane node is "
        "worked on or not ready, that a majority of those nodes and of etcd's pods stays ready, and that another API "
        "server does."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        row = row_of(step, facts)
        node = row if isinstance(row, NodeRow) and is_control_plane(row) else None
        lost = {pod.key: pod for pod in _members(row, step, facts)}
        if node is not None:
            lost |= {pod.key: pod for pod in facts.snapshot.pods_on(node.name) if _component(pod)}
            for decline in _nodes(node, facts):
                return decline
        for component in sorted({_component(pod) for pod in lost.values()}):
            if too_few := _pods(component, {key.name for key in lost}, facts):
                return too_few
        return None


def _component(pod: PodRow) -> str:
    component = pod.labels.get("component", "")
    return component if pod.namespace == _NAMESPACE and component in {_ETCD, _API} else ""


def _members(row: object, step: Step, facts: Facts) -> Iterator[PodRow]:
    if isinstance(row, PodRow) and _component(row):
        yield row
    yield from (pod for pod in displaced_pods(step, facts) if _component(pod))


def _no(message: str, facts: Facts, **numbers: Scalar) -> Decline:
    return Decline(guard=Quorum.code, message=message, numbers=numbers, look_again_at=facts.now + _AGAIN)


def _nodes(node: NodeRow, facts: Facts) -> Iterator[Decline]:
    census = census_of(facts)
    others = [name for name in census.control_plane if name != node.name]
    busy = worked_on_nodes(facts, census, besides=node.name).intersection(others)
    if busy:
        yield _no(f"Control-plane node {min(busy)} is being worked on: one at a time", facts, busy=len(busy))
    ready = [name for name in others if (other := facts.snapshot.node(name)) is not None and other.ready]
    majority = len(census.control_plane) // 2 + 1
    if len(ready) < majority:
        yield _no(
            f"Without node {node.name} {len(ready)} of {len(census.control_plane)} control-plane nodes would be ready, "
            f"and their majority is {majority}",
            facts,
            ready=len(ready),
            majority=majority,
        )
    if len(ready) < len(others):
        down = min(set(others) - set(ready))
        yield _no(f"Control-plane node {down} is not ready: one at a time", facts, ready=len(ready), others=len(others))


def _pods(component: str, lost: set[str], facts: Facts) -> Decline | None:
    pods = [pod for pod in facts.snapshot.pods_in(_NAMESPACE) if _component(pod) == component]
    stay = sum(1 for pod in pods if pod.ready and pod.name not in lost)
    needed = len(pods) // 2 + 1 if component == _ETCD else 1
    if stay >= needed:
        return None
    return _no(
        f"{stay} of {len(pods)} pods of {component} would stay ready, and {needed} must",
        facts,
        component=component,
        stay=stay,
        needed=needed,
    )
