"""The numbers of a policy beside its rules. Each says its unit and why this default."""

from datetime import timedelta
from typing import Annotated

from pydantic import ConfigDict, Field

from common.policy.shape import Duration, Strict


class _Frozen(Strict):
    model_config = ConfigDict(frozen=True)


class Scope(_Frozen):
    """Who is healed at all. Whoever has not opted in is observed: nothing is ever written to it by a rule."""

    opt_in: bool = True
    """Whether objects need the label or annotation k8s-health-checker/heal=on, on themselves, the workload they belong
    to, or their namespace. On by default: an installation changes nothing in anybody's namespace unasked."""
    namespaces: list[str] = Field(default_factory=list)
    """Namespaces that have opted in by this file: names, or patterns such as team-*."""


class Attribution(_Frozen):
    """From when on many failures count as one fault of something larger."""

    workload_nodes: Annotated[int, Field(ge=2, le=1000)] = 2
    """Nodes on which pods of one workload fail, from which it is the workload's fault. Two, because two nodes rarely
    break the same workload and spare the others."""
    node_workloads: Annotated[int, Field(ge=2, le=1000)] = 3
    """Workloads that fail on one node and do well elsewhere, from which it is the node's fault. A judgement: two may
    be chance where dozens share a node."""
    node_ratio: Annotated[float, Field(gt=0, le=1)] = 0.34
    """Part of the node's workloads that has to fail as well, 0 to 1. A judgement: a third."""
    zone_ratio: Annotated[float, Field(gt=0, le=1)] = 0.55
    """Part of a zone's nodes that has to be at fault for the zone to be, 0 to 1. At 55 % the control plane calls a
    zone unhealthy (https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction)."""
    zone_nodes: Annotated[int, Field(ge=2, le=1000)] = 3
    """Nodes of a zone that have to be at fault at least. The control plane asks for as many."""
    revision_window: Duration = timedelta(hours=1)
    """Trouble that begins within this time after a new revision is laid upon it when no pod of an older one is left to
    compare with. A judgement: what a revision breaks mostly shows at once; leaks take longer."""


class Promotion(_Frozen):
    """How much a rule must have shown in the shadow before it is recommended for more."""

    cases: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Cases that have to be known before anything is recommended. A judgement: fewer say little of a rate."""
    false_need_ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Part of the cases that may have gone away by themselves, 0 to 1: acting there would have been for nothing."""
    misfit_ratio: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Part of the cases in which a displaced pod would have found no place, 0 to 1."""
    success_ratio: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Part of the runs that has to have healed, 0 to 1, before a rule with approvals is recommended for auto."""
    failures: Annotated[int, Field(ge=1, le=1000)] = 3
    """Failed runs in a row from which less is recommended. As many attempts a target is given before people are
    called."""
    settle: Duration = timedelta(minutes=30)
    """How long trouble in the shadow may take to go away and still count as gone by itself. A judgement: some three
    times as long as healing takes, its watching included."""
    window: Duration = timedelta(days=14)
    """How far back cases and runs count. A judgement: two weeks hold every day of the week twice."""
