"""Prometheus metrics of one service: its own registry, its name in front, and what every process tells about itself."""

import asyncio
import platform
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# Nobody asks when a counter was made, and the series would be one more for each.
disable_created_metrics()  # type: ignore[no-untyped-call]

_LAG_EVERY_SECONDS = 0.25
# From a quick local answer to the longest request timeout.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
# A healthy loop is within 5 ms; 100 ms is where a user notices, seconds mean that probes fail.
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class ServiceMetrics:
    """Makes metrics named `<service>_<name>` on a registry of the service's own.

    A second service in the same process, or a second test, gets another registry, so that nothing is shared.
    """

    def __init__(self, service: str, version: str) -> None:
        self.service = service
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = self.gauge("build_info", "Always 1; the labels say what is running.", ("version", "python"))
        build.labels(version, platform.python_version()).set(1)
        self.task_crashes = self.counter(
            "task_crashes", "Background tasks that ended with an error and were started anew.", ("task",)
        )
        self.policy_reloads = self.counter("policy_reloads", "Changes of the policy file, by outcome.", ("outcome",))
        self.api_requests = self.histogram(
            "api_request_duration_seconds",
            "Response times of kube-apiserver as seen by this client, watches excluded.",
            ("verb", "code"),
            buckets=REQUEST_BUCKETS,
        )

    def task_crashed(self, task: str) -> None:
        """For a supervisor."""
        self.task_crashes.labels(task).inc()

    def policy_reloaded(self, outcome: str) -> None:
        """For whoever follows the policy file."""
        self.policy_reloads.labels(outcome).inc()

    def api_answered(self, verb: str, _resource: str, status: int, seconds: float) -> None:
        """For the statistics of the API server's client."""
        self.api_requests.labels(verb, status).observe(seconds)

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
        """A counter; the exposition appends `_total` to the name."""
        return Counter(f"{self.service}_{name}", documentation, labels, registry=self.registry)

    def gauge(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"{self.service}_{name}", documentation, labels, registry=self.registry)

    def histogram(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> Histogram:
        """A histogram; `buckets` are upper bounds in the unit that the name ends with."""
        return Histogram(f"{self.service}_{name}", documentation, labels, buckets=buckets, registry=self.registry)


async def watch_loop_lag(metrics: ServiceMetrics) -> None:
    """Measure for ever how late the event loop wakes a sleeper: what every request and every watch suffers."""
    lag = metrics.histogram("event_loop_lag_seconds", "How late the event loop runs what is due.", buckets=_LAG_BUCKETS)
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + _LAG_EVERY_SECONDS
        await asyncio.sleep(_LAG_EVERY_SECONDS)
        lag.observe(max(0.0, clock() - due))
