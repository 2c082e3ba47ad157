"""`health-monitor scan` as a new user runs it: a process from start to end, against a real API server."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.clusters import environment, filled_cluster
from bench.figure import Benchmark, Figure
from devcluster import DevCluster

ID = "monitor.scan"


def _scan(cluster: DevCluster, folder: str) -> dict[str, float]:
    """What one scan took. Raises RuntimeError when it fails."""
    report = Path(folder) / "report.json"
    scan = [sys.executable, "-m", "health_monitor", "scan", "--output", "json", "--file", str(report)]
    answer = subprocess.run(
        [sys.executable, "-m", "bench.launch", *scan],
        env=os.environ | environment(cluster),
        stdout=subprocess.PIPE,
        check=False,
    )
    if answer.returncode or not report.stat().st_size:
        raise RuntimeError(f"health-monitor scan ended with {answer.returncode}")
    report.unlink()
    took: dict[str, float] = json.loads(answer.stdout)
    return took


async def run(quick: bool) -> list[Figure]:
    nodes, pods, rounds = (50, 500, 1) if quick else (1_000, 10_000, 5)
    async with filled_cluster(nodes=nodes, pods=pods) as cluster:
        with tempfile.TemporaryDirectory(prefix="bench-scan-") as folder:
            scans = [await asyncio.to_thread(_scan, cluster, folder) for _ in range(rounds)]
    cpu = statistics.median(took["cpu_seconds"] for took in scans)
    conditions = (
        f"{nodes:,} nodes, {pods:,} pods, etcd and kube-apiserver on the same machine, JSON report to a file; "
        f"from the start of the process to its end; {cpu:.1f} s of own CPU"
    )
    return [
        Figure(
            id=f"{ID}.wall",
            what="scan, start to end",
            unit="s",
            target=5,
            better="lower",
            runs=[took["wall_seconds"] for took in scans],
            conditions=conditions,
        ),
        Figure(
            id=f"{ID}.memory",
            what="scan, resident memory at its peak",
            unit="MiB",
            target=150,
            better="lower",
            runs=[took["peak_mib"] for took in scans],
            conditions=conditions,
        ),
    ]


BENCHMARK = Benchmark(
    id=ID, title="health-monitor scan on a real API server", run=run, family=(f"{ID}.wall", f"{ID}.memory")
)
