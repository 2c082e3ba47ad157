"""What every fault has: two functions of a cluster and a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..cluster import DevCluster

# A label of nodes, pods and pod templates: the simulated kubelet obeys it, and it tells what a fault is on.
LABEL = "devcluster/fault"
WORKLOAD = "shop/checkout"

# The target is "namespace/name" or a node; None means the fault's usual one, or, for off, wherever it is on.
Switch = Callable[["DevCluster", str | None], None]
Switches = tuple[Switch, Switch]
