import asyncio
import time
from contextlib import suppress

from prometheus_client import generate_latest

from common.metrics import ServiceMetrics, watch_loop_lag


def value(metrics: ServiceMetrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def test_metrics_carry_the_name_of_the_service() -> None:
    metrics = ServiceMetrics("sample", "1.2.3")
    metrics.counter("events", "Events.", ("kind",)).labels("a").inc()
    metrics.gauge("pods", "Pods.").set(3)
    metrics.histogram("wait_seconds", "Waits.", buckets=(0.1, 1.0)).observe(0.5)

    assert value(metrics, "sample_events_total", kind="a") == 1
    assert value(metrics, "sample_pods") == 3
    assert value(metrics, "sample_wait_seconds_bucket", le="1.0") == 1


def test_every_service_tells_what_runs_and_how_the_process_is() -> None:
    text = generate_latest(ServiceMetrics("sample", "1.2.3").registry).decode()

    assert 'sample_build_info{python="3.' in text
    assert 'version="1.2.3"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text


def test_what_happens_in_every_service_is_counted_under_its_name() -> None:
    metrics = ServiceMetrics("sample", "1")
    metrics.task_crashed("watch")
    metrics.policy_reloaded("loaded")
    metrics.api_answered("list", "pods", 200, 0.02)

    assert value(metrics, "sample_task_crashes_total", task="watch") == 1
    assert value(metrics, "sample_policy_reloads_total", outcome="loaded") == 1
    assert value(metrics, "sample_api_request_duration_seconds_count", verb="list", code="200") == 1


def test_two_services_in_one_process_share_nothing() -> None:
    one, other = ServiceMetrics("sample", "1"), ServiceMetrics("sample", "1")
    one.gauge("pods", "Pods.").set(1)
    other.gauge("pods", "Pods.").set(2)

    assert (value(one, "sample_pods"), value(other, "sample_pods")) == (1, 2)


async def test_a_blocked_event_loop_shows_as_lag() -> None:
    metrics = ServiceMetrics("sample", "1")
    watch = asyncio.create_task(watch_loop_lag(metrics))
    while not value(metrics, "sample_event_loop_lag_seconds_count"):
        await asyncio.sleep(0.05)
        time.sleep(0.3)  # longer than the watch sleeps, so that it must wake late
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch

    assert value(metrics, "sample_event_loop_lag_seconds_sum") > 0.03
