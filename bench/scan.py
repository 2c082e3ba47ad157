"""`health-monitor scan` as a new user runs it: a process from start to end, against a real API server."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.clusters import environment, filled_cluster
from bench.figure import Benchmark, Figure
from devcluster import DevCluster

ID = "monitor.scan"
MIB = 1024  # ru_maxrss counts KiB


def _scan(cluster: DevCluster, folder: str) -> tuple[float, float, float]:
    """Seconds on the wall, MiB at the peak, seconds of CPU. Raises RuntimeError when the scan fails."""
    report = Path(folder) / "report.json"
    command = [sys.executable, "-m", "health_monitor", "scan", "--output", "json", "--file", str(report)]
    started = time.monotonic()
    with subprocess.Popen(command, env=os.environ | environment(cluster), stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not report.stat().st_size:
        raise RuntimeError(f"health-monitor scan ended with {process.returncode}")
    report.unlink()
    return wall, usage.ru_maxrss / MIB, usage.ru_utime + usage.ru_stime


async def run(quick: bool) -> list[Figure]:
    nodes, pods, rounds = (50, 500, 1) if quick else (1_000, 10_000, 5)
    async with filled_cluster(nodes=nodes, pods=pods) as cluster:
        with tempfile.TemporaryDirectory(prefix="bench-scan-") as folder:
            scans = [await asyncio.to_thread(_scan, cluster, folder) for _ in range(rounds)]
    walls, peaks, cpus = zip(*scans, strict=True)
    conditions = (
        f"{nodes:,} nodes, {pods:,} pods, etcd and kube-apiserver on the same machine, JSON report to a file; "
        f"from the start of the process to its end; {statistics.median(cpus):.1f} s of own CPU"
    )
    return [
        Figure(
            id=f"{ID}.wall",
            what="scan, start to end",
            unit="s",
            target=5,
            better="lower",
            runs=walls,
            conditions=conditions,
        ),
        Figure(
            id=f"{ID}.memory",
            what="scan, resident memory at its peak",
            unit="MiB",
            target=150,
            better="lower",
            runs=peaks,
            conditions=conditions,
        ),
    ]


BENCHMARK = Benchmark(
    id=ID, title="health-monitor scan on a real API server", run=run, family=(f"{ID}.wall", f"{ID}.memory")
)
