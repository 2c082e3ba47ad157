"""Only so much may be out of service at once, whoever took it out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.census import Census
from auto_healing.guards.steps import (
    EVICTING,
    PACED_BY_CONTROLLER,
    active_runs,
    census_of,
    counted,
    displaced_pods,
    row_of,
    tidies,
)
from auto_healing.plan import Decline, Step
from common.cluster.rows import NodeRow, PodDisruptionBudgetRow, PodRow, WorkloadRow
from common.contracts import ObjectKey
from common.contracts.health import Scalar

_AGAIN = timedelta(minutes=1)


class DisruptionBudget:
    code: ClassVar[str] = "disruption-budget"
    title: ClassVar[str] = "May this much be out of service at once?"
    looks_at: ClassVar[str] = (
        "Of displaced pods: the headroom of their PDBs, and how many replicas of their workload are missing already. "
        "Of nodes: how many of the zone are worked on, and how many of the pool and the cluster are out of service, by "
        "runs, by other healers, cordoned, being deleted or not ready. A node that is out already takes nothing away: "
        "for it only the nodes that are worked on count. One node is always allowed, unless its ratio is 0."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        row = row_of(step, facts)
        if isinstance(row, NodeRow):
            for decline in _nodes(row, facts):
                return decline
        if not tidies(step) and step.action not in PACED_BY_CONTROLLER:
            for decline in (*_pdbs(step, facts), *_workloads(step, facts)):
                return decline
        return None


def _spent(message: str, facts: Facts, **numbers: Scalar) -> Decline:
    return Decline(guard=DisruptionBudget.code, message=message, numbers=numbers, look_again_at=facts.now + _AGAIN)


# --- nodes


def share_of(ratio: float, of: int) -> int:
    """Rounded down, and at least one unless the ratio is 0: small pools are repaired too."""
    return max(1, int(ratio * of)) if ratio else 0


def _nodes(node: NodeRow, facts: Facts) -> Iterator[Decline]:
    settings, census = facts.settings.disruption_budget, census_of(facts)
    member = census.members[node.name]
    worked_on = worked_on_nodes(facts, census, besides=node.name)
    in_zone = sorted(name for name in worked_on if census.members[name].zone == member.zone)
    if len(in_zone) >= settings.nodes_per_zone:
        yield _spent(
            f"{counted(len(in_zone), 'node')} of zone {member.zone or '(none)'} being worked on{_named(in_zone)}, "
            f"and at most {settings.nodes_per_zone} may be at once",
            facts,
            zone=member.zone,
            used=len(in_zone),
            budget=settings.nodes_per_zone,
        )
    in_pool = {name for name in worked_on if census.members[name].pool == member.pool}
    for what, size, ratio, names, out in (
        (
            f"pool {member.pool or '(none)'}",
            census.in_pool[member.pool],
            settings.pool_ratio,
            in_pool,
            census.disrupted_in_pool[member.pool],
        ),
        ("the cluster", census.nodes, settings.cluster_ratio, worked_on, census.disrupted),
    ):
        used = len(names)
        if not member.disrupted:  # it would be one more that is out of service
            used = out + sum(1 for name in names if not census.members[name].disrupted)
        budget = share_of(ratio, size)
        if used >= budget:
            yield _spent(
                f"{used} of {size} nodes of {what} are out of service, and at most {budget} may be at once",
                facts,
                of=what,
                used=used,
                budget=budget,
                nodes=size,
            )


def worked_on_nodes(facts: Facts, census: Census, *, besides: str) -> set[str]:
    """Names of nodes that a run of ours, or another healer, is taking away or repairing now."""
    ours = {run.node or run.target.name for run in active_runs(facts) if run.target.kind == "Node"}
    return {name for name in ours.union(census.taken) if name != besides and name in census.members}


def _named(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" ({', '.join(names[:3])}{more})" if names else ""


# --- pods


def _pdbs(step: Step, facts: Facts) -> Iterator[Decline]:
    evicts = step.action in EVICTING
    for pod in displaced_pods(step, facts):
        if pod.finished or pod.deleted_at is not None or not (pod.ready or evicts) or not pod.node:
            continue
        pdbs = facts.snapshot.pdbs_of(pod)
        if evicts and len(pdbs) > 1:
            names = ", ".join(sorted(pdb.name for pdb in pdbs))
            yield Decline(
                guard=DisruptionBudget.code,
                message=f"Pod {pod.namespace}/{pod.name} can never be evicted: more than one PDB selects it ({names})",
                numbers={"pod": pod.name, "pdbs": len(pdbs)},
            )
        for pdb in pdbs:
            if reason := _forbids(pdb, pod):
                yield _spent(
                    f"PDB {pdb.namespace}/{pdb.name} forbids to disrupt pod {pod.name}: {reason}",
                    facts,
                    pdb=pdb.name,
                    pod=pod.name,
                    allowed=pdb.disruptions_allowed,
                    healthy=pdb.current_healthy,
                    desired=pdb.desired_healthy,
                )


def _forbids(pdb: PodDisruptionBudgetRow, pod: PodRow) -> str:
    """Why, or empty. A pod that is not ready may go as long as enough others are (IfHealthyBudget, the default)."""
    if pdb.observed_generation < pdb.generation:
        return "it was changed, and its controller has not looked yet"
    if pdb.disruptions_allowed > 0:
        return ""
    if not pod.ready and pdb.current_healthy >= pdb.desired_healthy > 0:
        return ""
    return f"{pdb.current_healthy} of its pods are healthy, and it wants {pdb.desired_healthy}"


def _workloads(step: Step, facts: Facts) -> Iterator[Decline]:
    ratio, seen = facts.settings.disruption_budget.workload_ratio, set[ObjectKey]()
    for pod in displaced_pods(step, facts):
        owner = facts.snapshot.top_owner(pod)
        if not pod.ready or owner in seen:
            continue
        seen.add(owner)
        workload = facts.snapshot.find(owner)
        if not isinstance(workload, WorkloadRow) or workload.replicas < 2:
            continue  # a single replica is a question of outage, not of a budget
        missing, budget = max(0, workload.replicas - workload.ready_replicas), share_of(ratio, workload.replicas)
        if missing >= budget:
            yield _spent(
                f"{missing} of {workload.replicas} replicas of {owner} are missing already, and at most {budget} may",
                facts,
                workload=str(owner),
                used=missing,
                budget=budget,
                replicas=workload.replicas,
            )
