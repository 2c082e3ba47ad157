"""Every benchmark, in the order in which a round runs them."""

from bench.figure import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = ()
