"""Codes of the findings that health_monitor tells, by the kind of object that they are about.

Data, because services do not import one another; a contract test compares it with the checks.
"""

_CODES = {
    "Cluster": "cluster-api-errors cluster-api-slow cluster-api-unreachable cluster-metrics-absent "
    "cluster-nodes-not-ready cluster-pods-unschedulable cluster-view-stale",
    "Zone": "zone-nodes-not-ready",
    "Node": "node-allocation-high node-clock-skew node-condition node-cordoned node-cpu-high node-disk-pressure "
    "node-flapping node-lease-stale node-limits-overcommitted node-memory-high node-memory-pressure "
    "node-network-unavailable node-not-ready node-pid-pressure node-pods-high node-taint-not-tolerated node-unknown "
    "node-version-skew",
    "Pod": "pod-config-error pod-cpu-near-limit pod-crash-loop pod-evicted pod-failed pod-image-pull pod-init-stuck "
    "pod-liveness-failing pod-memory-near-limit pod-no-requests pod-not-ready pod-on-not-ready-node pod-oom-killed "
    "pod-pending pod-readiness-failing pod-restarts pod-stuck-terminating pod-unknown pod-unschedulable",
    "Deployment": "deployment-rollout-stuck deployment-single-replica deployment-unavailable",
    "StatefulSet": "statefulset-rollout-stuck statefulset-single-replica statefulset-unavailable",
    "DaemonSet": "daemonset-rollout-stuck daemonset-unavailable",
    "Job": "job-failed",
    "CronJob": "cronjob-missed-schedule cronjob-not-succeeding",
    "HorizontalPodAutoscaler": "hpa-at-max hpa-no-metrics",
    "PodDisruptionBudget": "pdb-blocks-evictions pdb-overlapping pdb-selects-nothing",
    "PersistentVolumeClaim": "pvc-lost pvc-pending",
    "PersistentVolume": "pv-failed pv-released",
    "Service": "service-no-endpoints",
}

KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

# What is left behind, and the cleanup that sees to it by its schedule.
CLEANED_BY = {
    "pod-evicted": "clean-evicted-pods",
    "pod-failed": "clean-failed-pods",
    "job-failed": "clean-jobs",
    "pdb-selects-nothing": "clean-disruption-budgets",
    "pv-released": "clean-volumes",
}
