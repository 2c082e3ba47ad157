"""The checks of workloads and of what they rest on, in the order in which the catalogue lists them."""

from typing import Any

from health_monitor.checks.check import Check
from health_monitor.checks.workloads import (
    cronjob_missed_schedule,
    cronjob_not_succeeding,
    daemonset_rollout_stuck,
    daemonset_unavailable,
    deployment_rollout_stuck,
    deployment_single_replica,
    deployment_unavailable,
    hpa_at_max,
    hpa_no_metrics,
    job_failed,
    pdb_blocks_evictions,
    pdb_overlapping,
    pdb_selects_nothing,
    pv_failed,
    pv_released,
    pvc_lost,
    pvc_pending,
    service_no_endpoints,
    statefulset_rollout_stuck,
    statefulset_single_replica,
    statefulset_unavailable,
)

WORKLOAD_CHECKS: tuple[Check[Any, Any], ...] = (
    deployment_unavailable.CHECK,
    deployment_rollout_stuck.CHECK,
    deployment_single_replica.CHECK,
    statefulset_unavailable.CHECK,
    statefulset_rollout_stuck.CHECK,
    statefulset_single_replica.CHECK,
    daemonset_unavailable.CHECK,
    daemonset_rollout_stuck.CHECK,
    job_failed.CHECK,
    cronjob_not_succeeding.CHECK,
    cronjob_missed_schedule.CHECK,
    hpa_no_metrics.CHECK,
    hpa_at_max.CHECK,
    pdb_blocks_evictions.CHECK,
    pdb_overlapping.CHECK,
    pdb_selects_nothing.CHECK,
    pvc_pending.CHECK,
    pvc_lost.CHECK,
    pv_failed.CHECK,
    pv_released.CHECK,
    service_no_endpoints.CHECK,
)
