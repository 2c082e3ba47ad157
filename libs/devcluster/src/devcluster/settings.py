"""What a cluster is made of, and where its files are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import DevClusterError

ZONES = ("zone-a", "zone-b", "zone-c")


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes of one kind: ``share`` of the cluster's nodes (relative to the other pools) and what one of them offers."""

    name: str
    share: int = 1
    cpu: str = "8"
    memory: str = "32Gi"
    pods: int = 110


POOLS = (Pool("general", 4), Pool("memory", 1, cpu="8", memory="64Gi"))


@dataclass(frozen=True, slots=True)
class Settings:
    """One cluster. ``controllers=False`` leaves etcd and the API server alone, for filling in very large clusters.

    ``node_grace_seconds`` is how long a silent node stays Ready; 40 is Kubernetes' own figure, tests take less.
    """

    name: str = "dev"
    nodes: int = 6
    zones: tuple[str, ...] = ZONES
    pools: tuple[Pool, ...] = POOLS
    controllers: bool = True
    metrics: bool = False
    node_grace_seconds: int = 40

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", self.name):  # it names files and certificates
            raise DevClusterError(f"{self.name!r} is no cluster name: small letters, digits and dashes, at most 40")


def clusters_folder() -> Path:
    """Where the clusters' files are, one folder each."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "k8s-health-checker" / "devcluster"
