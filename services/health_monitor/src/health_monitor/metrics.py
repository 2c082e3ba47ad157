"""What the service counts and times. Observed by the shells from what happened, never inside a decision."""

from common.metrics import REQUEST_BUCKETS, ServiceMetrics

SERVICE = "health_monitor"

# One change takes tens of microseconds, the first look at a large cluster seconds.
_EVALUATION_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
# The target is 50 ms in the middle and 250 ms at the 99th percentile.
_DETECTION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)


class Metrics:
    """All counters and histograms of the service."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.service = service
        self.registry = service.registry
        self.events = service.counter("events", "Health events stored, by change and severity.", ("change", "severity"))
        self.evaluation = service.histogram(
            "evaluation_duration_seconds", "Time to evaluate one batch of changes.", buckets=_EVALUATION_BUCKETS
        )
        self.detection = service.histogram(
            "detection_delay_seconds",
            "From when a change was seen, or a condition had held for long enough, until its event was stored.",
            buckets=_DETECTION_BUCKETS,
        )
        self.deliveries = service.histogram(
            "webhook_delivery_duration_seconds",
            "Time of one webhook attempt, by verdict.",
            ("verdict",),
            buckets=REQUEST_BUCKETS,
        )
        self.check_failures = service.counter("check_failures", "Checks that raised an error.", ("code",))
