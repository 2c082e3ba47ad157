"""What the service counts and times. Observed by the shells from what happened, never inside a decision."""

from common.metrics import REQUEST_BUCKETS, ServiceMetrics

SERVICE = "auto_healing"

# By policy at once, by a person within the hour.
_REACTION_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)
_HEALING_BUCKETS = (0.1, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14_400)


class Metrics:
    """All counters and histograms of the service."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.service = service
        self.registry = service.registry
        self.events = service.counter("events", "Health events taken by this replica, each once.")
        self.decisions = service.counter(
            "decisions", "Plans made, by rule, mode and outcome.", ("rule", "mode", "outcome")
        )
        self.declines = service.counter("declines", "Plans refused, by the first guard that stopped them.", ("guard",))
        self.runs = service.counter("runs", "Runs that ended, by action and how.", ("action", "state"))
        self.steps = service.counter("steps", "Steps carried out, by action and result.", ("action", "result"))
        self.waited = service.histogram(
            "run_wait_seconds",
            "From the decision, approval included, to the first write of a run.",
            buckets=_REACTION_BUCKETS,
        )
        self.step_duration = service.histogram(
            "step_duration_seconds", "Time of one step, by action.", ("action",), buckets=_HEALING_BUCKETS
        )
        self.time_to_heal = service.histogram(
            "time_to_heal_seconds",
            "From the beginning of a finding to the verdict that it is healed.",
            ("action",),
            buckets=_HEALING_BUCKETS,
        )
        self.decision = service.histogram(
            "decision_duration_seconds", "Time to decide about one batch of findings.", buckets=REQUEST_BUCKETS
        )
        self.cleanup_objects = service.counter(
            "cleanup_objects",
            "Objects of cleanup, by rule and what became of them: marked, deleted, gone before, or left in a run.",
            ("rule", "outcome"),
        )
        self.cleanup_declines = service.counter(
            "cleanup_declines", "Cleanup plans refused, by rule and the first guard.", ("rule", "guard")
        )
        self.cleanup_unused = service.gauge(
            "cleanup_unused",
            "Objects at the last look, by rule: waiting, due to be deleted, or not proven to be unused.",
            ("rule", "state"),
        )
        self.cleanup_oldest = service.gauge(
            "cleanup_oldest_timestamp_seconds",
            "Since when the object waits that was marked first; none while nothing waits.",
            ("rule",),
        )
        self.notices = service.counter(
            "notices", "Notices to alert_service, by kind and whether it took them.", ("kind", "outcome")
        )
        self.notices_waiting = service.gauge(
            "notices_waiting", "Entries of the ledger that alert_service has not been told of, as this leader knows."
        )
        self.leader = service.gauge("leader", "1 while this replica decides and acts.")
        self.active_runs = service.gauge("active_runs", "Runs that hold their target, as this leader knows them.")
        self.open_findings = service.gauge("open_findings", "Findings that are open, as health_monitor told.")
        self.paused = service.gauge("paused", "Pauses in force.")
