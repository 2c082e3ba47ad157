"""Checks of the cluster as a whole and of its zones: can it be seen, does its API work, is there room."""

from typing import Any

from health_monitor.checks.check import Check
from health_monitor.checks.cluster import (
    cluster_api_errors,
    cluster_api_slow,
    cluster_api_unreachable,
    cluster_metrics_absent,
    cluster_nodes_not_ready,
    cluster_pods_unschedulable,
    cluster_view_stale,
    zone_nodes_not_ready,
)

CLUSTER_CHECKS: tuple[Check[Any, Any], ...] = (
    cluster_api_unreachable.CHECK,
    cluster_view_stale.CHECK,
    cluster_api_errors.CHECK,
    cluster_api_slow.CHECK,
    cluster_nodes_not_ready.CHECK,
    zone_nodes_not_ready.CHECK,
    cluster_pods_unschedulable.CHECK,
    cluster_metrics_absent.CHECK,
)
