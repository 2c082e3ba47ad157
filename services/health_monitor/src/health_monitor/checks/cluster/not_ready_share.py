"""Which part of some nodes is not ready, and when that is too much."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from common.contracts import Severity
from health_monitor.checks.check import Symptom, threshold


@dataclass(frozen=True, slots=True)
class ShareThresholds:
    ratio: float = threshold(
        0.2,
        "Part of the nodes that may be not ready. Node repair of Karpenter "
        "(https://karpenter.sh/docs/concepts/disruption/) stops above 20 %: from there on the fault is rarely in the "
        "single node.",
        least=0,
        most=1,
    )
    critical_ratio: float = threshold(
        0.55,
        "Part from which it is critical. At 55 % the control plane calls a zone unhealthy and slows or stops evictions "
        "(unhealthy-zone-threshold, https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction).",
        least=0,
        most=1,
    )
    nodes: int = threshold(
        2,
        "How many nodes must be not ready at least: a single one has its own finding. The control plane asks for 3 "
        "before it calls a zone unhealthy; a judgement of 2 serves zones of three nodes.",
        least=1,
    )
    after: timedelta = threshold(
        timedelta(seconds=10), "How long it may be so. A judgement: nodes of one zone do not fail in the same instant."
    )


def not_ready_share(unready: int, total: int, *, where: str, thresholds: ShareThresholds) -> Iterable[Symptom]:
    if unready < thresholds.nodes or unready < total * thresholds.ratio:
        return ()
    critical = unready >= total * thresholds.critical_ratio
    return (
        Symptom(
            message=f"{unready} of {total} nodes {where} are not ready",
            after=thresholds.after,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            evidence={"unready_nodes": unready, "nodes": total},
        ),
    )
