"""Every benchmark, in the order in which a round runs them."""

from bench import (
    alerts_card_latency,
    alerts_click,
    alerts_explain,
    audit_verify,
    cleanup_rate,
    cpu_per_event_growth,
    decision_rate,
    detection,
    detection_ratio,
    failover,
    max_cluster,
    pipeline_rate,
    reaction,
    read_api,
    scan,
    simulation,
    watch_ratio,
    whatif,
)
from bench.figure import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = (
    watch_ratio.BENCHMARK,
    pipeline_rate.BENCHMARK,
    cpu_per_event_growth.BENCHMARK,
    scan.BENCHMARK,
    max_cluster.BENCHMARK,
    detection.BENCHMARK,
    detection_ratio.BENCHMARK,
    read_api.BENCHMARK,
    failover.BENCHMARK,
    whatif.BENCHMARK,
    audit_verify.BENCHMARK,
    cleanup_rate.BENCHMARK,
    simulation.BENCHMARK,
    decision_rate.BENCHMARK,
    reaction.BENCHMARK,
    alerts_card_latency.BENCHMARK,
    alerts_click.BENCHMARK,
    alerts_explain.BENCHMARK,
)
