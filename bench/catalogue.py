"""Every benchmark, in the order in which a round runs them."""

from bench import watch_ratio
from bench.figure import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = (watch_ratio.BENCHMARK,)
