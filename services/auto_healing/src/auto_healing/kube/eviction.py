"""What the Eviction API says when it refuses. Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

import re
from collections.abc import Collection, Mapping

from auto_healing.kube.cluster import EvictionBlocked
from common.cluster.rows import PodDisruptionBudgetRow
from common.kube.errors import KubeError, Throttled

CAUSE = "DisruptionBudget"
SEVERAL = "more than one PodDisruptionBudget"
_NAMED = re.compile(r"The disruption budget (\S+) ")


def forbids(error: KubeError) -> bool:
    """Whether a PodDisruptionBudget, and not an overloaded server, said no."""
    if isinstance(error, Throttled):
        return any(cause.reason == CAUSE for cause in error.causes) or "disruption budget" in str(error)
    return SEVERAL in str(error)


def blocked(error: KubeError, pod: str, pdbs: Collection[str]) -> EvictionBlocked:
    """The refusal for people. `pdbs` are the names of those that select the pod; the answer may name others."""
    named = {match[1] for cause in error.causes if (match := _NAMED.match(cause.message or ""))}
    if SEVERAL in str(error):
        names = sorted(pdbs)
        message = f"{len(names) or 'several'} PodDisruptionBudgets select pod {pod} ({', '.join(names)}): the Eviction "
        message += "API refuses such a pod for ever; let one of them select it"
        return EvictionBlocked(message, pdbs=names, never=True, retry_after_seconds=None)
    names = sorted(named or pdbs)
    why = "; ".join(cause.message for cause in error.causes if cause.message) or str(error)
    message = f"PodDisruptionBudget {', '.join(names) or 'unknown'} forbids the eviction of pod {pod} now: {why}"
    return EvictionBlocked(message, pdbs=names, never=False, retry_after_seconds=error.retry_after_seconds)


def selecting(pdbs: Collection[PodDisruptionBudgetRow], labels: Mapping[str, str]) -> list[str]:
    """Names of those that select a pod with these labels."""
    return sorted(pdb.name for pdb in pdbs if pdb.selector.matches(labels))
