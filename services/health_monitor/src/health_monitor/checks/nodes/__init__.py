"""Checks of nodes, in the order in which they are shown: down, short of something, unsound, wasteful."""

from typing import Any

from health_monitor.checks.check import Check
from health_monitor.checks.nodes import (
    node_allocation_high,
    node_clock_skew,
    node_condition,
    node_cordoned,
    node_cpu_high,
    node_disk_pressure,
    node_flapping,
    node_lease_stale,
    node_limits_overcommitted,
    node_memory_high,
    node_memory_pressure,
    node_network_unavailable,
    node_not_ready,
    node_pid_pressure,
    node_pods_high,
    node_taint_not_tolerated,
    node_unknown,
    node_version_skew,
)

NODE_CHECKS: tuple[Check[Any, Any], ...] = (
    node_not_ready.CHECK,
    node_unknown.CHECK,
    node_lease_stale.CHECK,
    node_flapping.CHECK,
    node_network_unavailable.CHECK,
    node_disk_pressure.CHECK,
    node_memory_pressure.CHECK,
    node_pid_pressure.CHECK,
    node_condition.CHECK,
    node_clock_skew.CHECK,
    node_version_skew.CHECK,
    node_cpu_high.CHECK,
    node_memory_high.CHECK,
    node_pods_high.CHECK,
    node_allocation_high.CHECK,
    node_limits_overcommitted.CHECK,
    node_cordoned.CHECK,
    node_taint_not_tolerated.CHECK,
)
