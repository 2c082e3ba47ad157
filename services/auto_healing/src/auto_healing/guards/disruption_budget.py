"""Only so much may be out of service at once, whoever took it out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.census import Census, Member
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
from auto_healing.placement.budgets import asks_nobody, lets_unready_go
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
    return max(1, int(ratio * of + 1e-9)) if ratio else 0


def _nodes(node: NodeRow, facts: Facts) -> Iterator[Decline]:
    settings, census = facts.settings.disruption_budget, census_of(facts)
    member = census.members[node.name]
    worked_on = worked_on_nodes(facts, census, besides=node.name)
    yield from _zone(member.zone, worked_on, census, facts)
    in_pool = {name for name in worked_on if census.members[name].pool == member.pool}
    out_of_pool = _out(member, in_pool, census.disrupted_in_pool[member.pool], census)
    pool = f"pool {member.pool or '(none)'}"
    yield from _share(pool, out_of_pool, census.in_pool[member.pool], settings.pool_ratio, facts)
    out = _out(member, worked_on, census.disrupted, census)
    yield from _share("the cluster", out, census.nodes, settings.cluster_ratio, facts)


def _zone(zone: str, worked_on: set[str], census: Census, facts: Facts) -> Iterator[Decline]:
    budget = facts.settings.disruption_budget.nodes_per_zone
    names = sorted(name for name in worked_on if census.members[name].zone == zone)
    if len(names) >= budget:
        yield _spent(
            f"{counted(len(names), 'node')} of zone {zone or '(none)'} being worked on{_named(names)}, and at most "
            f"{budget} may be at once",
            facts,
            zone=zone,
            used=len(names),
            budget=budget,
        )


def _out(member: Member, worked_on: set[str], disrupted: int, census: Census) -> int:
    """How many nodes count against a budget. One that is out of service already takes nothing more away: for it only
    those count that are worked on, else nodes that are down would keep each other from being repaired."""
    if member.disrupted:
        return len(worked_on)
    return disrupted + sum(1 for name in worked_on if not census.members[name].disrupted)


def _share(what: str, out: int, nodes: int, ratio: float, facts: Facts) -> Iterator[Decline]:
    budget = share_of(ratio, nodes)
    if out >= budget:
        yield _spent(
            f"{out} of {nodes} nodes of {what} are out of service, and at most {budget} may be at once",
            facts,
            of=what,
            used=out,
            budget=budget,
            nodes=nodes,
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
        if asks_nobody(pod) or not (pod.ready or evicts) or not pod.node:
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
    """Why, or empty: in the order in which the Eviction API decides."""
    if not pod.ready and lets_unready_go(pdb):
        return ""
    if pdb.observed_generation < pdb.generation:
        return "it was changed, and its controller has not looked yet"
    if pdb.disruptions_allowed > 0:
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
