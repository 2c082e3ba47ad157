"""The checks of pods, in the order in which the catalogue lists them.

One trouble is told once, by the check that says most about it:

- A pod that is being deleted is told only by `pod-stuck-terminating`.
- A pod that succeeded is healthy. One that failed is told by `pod-evicted` or else by `pod-failed`; failed pods of a
  Job are told by the Job's own check.
- Of a container that keeps ending `pod-oom-killed` tells where memory is the reason, else `pod-crash-loop`, else
  `pod-restarts`. A container in a loop is not told by `pod-config-error` or `pod-liveness-failing` as well.
- A pod on a node that is not ready is told as that; what is reported of its containers may be old, but is told as well.
- A pod that has not started is told by what stops it: `pod-unschedulable`, a container's image, configuration or crash
  loop, `pod-init-stuck`; and by `pod-pending` only where none of these does.
- A pod that runs but is not ready is told by a container's image, configuration or crash loop, or by
  `pod-readiness-failing`; and by `pod-not-ready` only where none of these does.
"""

from typing import Any

from health_monitor.checks.check import Check
from health_monitor.checks.pods import (
    pod_config_error,
    pod_cpu_near_limit,
    pod_crash_loop,
    pod_evicted,
    pod_failed,
    pod_image_pull,
    pod_init_stuck,
    pod_liveness_failing,
    pod_memory_near_limit,
    pod_no_requests,
    pod_not_ready,
    pod_on_not_ready_node,
    pod_oom_killed,
    pod_pending,
    pod_readiness_failing,
    pod_restarts,
    pod_stuck_terminating,
    pod_unknown,
    pod_unschedulable,
)

POD_CHECKS: tuple[Check[Any, Any], ...] = (
    pod_unschedulable.CHECK,
    pod_pending.CHECK,
    pod_init_stuck.CHECK,
    pod_image_pull.CHECK,
    pod_config_error.CHECK,
    pod_crash_loop.CHECK,
    pod_oom_killed.CHECK,
    pod_restarts.CHECK,
    pod_liveness_failing.CHECK,
    pod_readiness_failing.CHECK,
    pod_not_ready.CHECK,
    pod_on_not_ready_node.CHECK,
    pod_unknown.CHECK,
    pod_failed.CHECK,
    pod_evicted.CHECK,
    pod_stuck_terminating.CHECK,
    pod_memory_near_limit.CHECK,
    pod_cpu_near_limit.CHECK,
    pod_no_requests.CHECK,
)
