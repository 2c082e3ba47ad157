"""What the findings together point at. Whose fault it is comes before what to do."""

from dataclasses import dataclass
from enum import StrEnum

from common.contracts import Finding, ObjectKey


class FaultLevel(StrEnum):
    """Where the cause sits, from the narrowest to the widest."""

    POD = "pod"
    WORKLOAD = "workload"  # the same workload fails wherever its pods are
    REVISION = "revision"  # it began with a new revision, and the pods of the old one do well
    CONFIGURATION = "configuration"  # what its pods name, a ConfigMap, a Secret or a key of them, is not there
    NODE = "node"  # many workloads fail on one node, or the node itself says so
    ZONE = "zone"
    CLUSTER = "cluster"  # what belongs to nothing narrower, such as an object nobody uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One cause, as far as it can be told, with the findings that it explains.

    `evidence` are sentences for people, with their numbers. `confidence` is 0 to 1. A fault is known by `key` for as
    long as it lasts.
    """

    level: FaultLevel
    subject: ObjectKey  # the pod, top workload, node, zone or cluster it is laid upon
    findings: tuple[Finding, ...]
    evidence: tuple[str, ...] = ()
    confidence: float = 1.0
    revision: str = ""  # of the workload, where one is to blame or concerned

    @property
    def key(self) -> tuple[FaultLevel, ObjectKey]:
        return (self.level, self.subject)
