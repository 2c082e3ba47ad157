"""A simulated Deployment, and how far its rolling update goes at a time."""

import math
from dataclasses import dataclass, field
from datetime import datetime

from common.cluster.rows import (
    DeploymentRow,
    PodRow,
)
from common.contracts import ObjectKey


@dataclass
class Deployment:
    """What its controller knows beyond the row: pods wanted of each revision, the newest last."""

    key: ObjectKey
    labels: dict[str, str]
    wanted: dict[str, int] = field(default_factory=dict)  # by hash of the template
    rolling: bool = False
    progress: tuple[int, int] = (0, 0)
    progressed_at: datetime | None = None

    @property
    def newest(self) -> str:
        return next(reversed(self.wanted))

    def replica_set(self, revision: str) -> str:
        return f"{self.key.name}-{revision}"


def pace(own: Deployment, row: DeploymentRow, pods: dict[str, list[PodRow]]) -> None:
    """One round of a rolling update with the usual 25 % more and 25 % less."""
    surge, missing = math.ceil(row.replicas / 4), row.replicas // 4
    ready = {revision: sum(pod.ready for pod in those) for revision, those in pods.items()}
    new = own.newest
    room = row.replicas + surge - sum(own.wanted.values())
    own.wanted[new] = min(row.replicas, own.wanted[new] + max(0, room))
    old = [revision for revision, wanted in own.wanted.items() if revision != new and wanted]
    least = row.replicas - missing
    cut = sum(own.wanted.values()) - least - (own.wanted[new] - ready.get(new, 0))
    for revision in old:  # those that serve nobody first
        useless = max(0, min(own.wanted[revision] - ready[revision], cut))
        own.wanted[revision] -= useless
        cut -= useless
    spare = sum(ready.values()) - least
    for revision in old:
        less = max(0, min(own.wanted[revision], spare, cut))
        own.wanted[revision] -= less
        spare -= less
        cut -= less


def counts(ready: int, *, current: int = 0, updated: int = 0) -> dict[str, int]:
    return {
        "ready_replicas": ready,
        "available_replicas": ready,
        "current_replicas": current,
        "updated_replicas": updated,
    }
