"""Metrics of other programs that the shipped rules ask for, by who tells them, and where that is written down."""

from collections.abc import Collection

# The labels of those that no test runs. Of the node exporter they are what version 1.12.1 was seen to tell.
LABELS: dict[str, dict[str, frozenset[str]]] = {
    # https://github.com/prometheus/node_exporter, the collectors cpu, filesystem, loadavg, meminfo, timex and vmstat;
    # the label node is put on by the scrape job
    "node-exporter": {
        "node_cpu_seconds_total": frozenset({"node", "cpu", "mode"}),
        "node_filesystem_avail_bytes": frozenset({"node", "device", "device_error", "fstype", "mountpoint"}),
        "node_filesystem_size_bytes": frozenset({"node", "device", "device_error", "fstype", "mountpoint"}),
        "node_load1": frozenset({"node"}),
        "node_memory_MemAvailable_bytes": frozenset({"node"}),
        "node_memory_MemTotal_bytes": frozenset({"node"}),
        "node_timex_maxerror_seconds": frozenset({"node"}),
        "node_timex_offset_seconds": frozenset({"node"}),
        "node_timex_sync_status": frozenset({"node"}),
        "node_vmstat_pgmajfault": frozenset({"node"}),
    },
    # https://kubernetes.io/docs/reference/instrumentation/metrics/
    "kubelet": {
        "kubelet_volume_stats_available_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
        "kubelet_volume_stats_capacity_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
    },
    # https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md, and the kubelet's own labels
    "cadvisor": {
        "container_cpu_cfs_periods_total": frozenset({"namespace", "pod", "container"}),
        "container_cpu_cfs_throttled_periods_total": frozenset({"namespace", "pod", "container"}),
    },
    # https://kubernetes.io/docs/reference/instrumentation/metrics/
    "kube-apiserver": {
        "apiserver_request_sli_duration_seconds_bucket": frozenset({"le", "resource", "scope", "verb"}),
        "apiserver_request_sli_duration_seconds_count": frozenset({"resource", "scope", "verb"}),
        "apiserver_request_total": frozenset(
            {"code", "component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"}
        ),
    },
}

EXPORTED: dict[str, Collection[str]] = {
    **LABELS,
    # https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics
    "kube-state-metrics": frozenset(
        {
            "kube_cronjob_next_schedule_time",
            "kube_cronjob_spec_suspend",
            "kube_daemonset_status_desired_number_scheduled",
            "kube_daemonset_status_number_available",
            "kube_daemonset_status_updated_number_scheduled",
            "kube_deployment_spec_replicas",
            "kube_deployment_status_condition",
            "kube_deployment_status_replicas_available",
            "kube_deployment_status_replicas_updated",
            "kube_horizontalpodautoscaler_spec_max_replicas",
            "kube_horizontalpodautoscaler_spec_min_replicas",
            "kube_horizontalpodautoscaler_status_current_replicas",
            "kube_job_failed",
            "kube_node_status_condition",
            "kube_persistentvolume_status_phase",
            "kube_persistentvolumeclaim_status_phase",
            "kube_pod_container_status_last_terminated_reason",
            "kube_pod_container_status_restarts_total",
            "kube_pod_container_status_waiting_reason",
            "kube_pod_info",
            "kube_pod_owner",
            "kube_pod_status_phase",
            "kube_pod_status_ready",
            "kube_poddisruptionbudget_status_current_healthy",
            "kube_poddisruptionbudget_status_desired_healthy",
            "kube_statefulset_replicas",
            "kube_statefulset_status_replicas_ready",
            "kube_statefulset_status_replicas_updated",
        }
    ),
    # https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ (ALERTS), and its own /metrics
    "prometheus": frozenset(
        {
            "ALERTS",
            "up",
            "prometheus_notifications_alertmanagers_discovered",
            "prometheus_rule_evaluation_failures_total",
        }
    ),
    # its own /metrics: https://prometheus.io/docs/alerting/latest/alertmanager/
    "alertmanager": frozenset({"alertmanager_notifications_total", "alertmanager_notifications_failed_total"}),
}
