"""Everything that is looked for, in one list: the catalogue, the policy's schema and the runbooks follow it."""

from typing import Any

from health_monitor.checks.check import Check
from health_monitor.checks.cluster import CLUSTER_CHECKS
from health_monitor.checks.nodes import NODE_CHECKS
from health_monitor.checks.pods import POD_CHECKS
from health_monitor.checks.workloads import WORKLOAD_CHECKS

CHECKS: tuple[Check[Any, Any], ...] = (*CLUSTER_CHECKS, *NODE_CHECKS, *POD_CHECKS, *WORKLOAD_CHECKS)

CHECKS_BY_CODE = {check.code: check for check in CHECKS}
