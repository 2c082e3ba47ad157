"""A real Prometheus that scrapes the service and evaluates a rule about one finding, as a cluster's would."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import yaml

from devcluster import binaries
from devcluster.binaries import cache
from devcluster.kwokctl import free_ports

READY_SECONDS = 60.0
ALERT = "NodeUnwell"
WELL = 90  # a node with disk pressure has 80


def is_cached() -> bool:
    """Whether no program has to be fetched or built first."""
    return cache.load(binaries.GROUPS["prometheus"]) is not None


class Prometheus:
    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=10)

    async def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return (await self._http.get("/-/ready")).is_success
        return False

    async def firing(self) -> set[str]:
        """The nodes that an alert is firing for."""
        answer = await self._http.get("/api/v1/alerts")
        alerts = answer.raise_for_status().json()["data"]["alerts"]
        return {alert["labels"]["node"] for alert in alerts if alert["state"] == "firing"}

    async def close(self) -> None:
        await self._http.aclose()


@contextlib.asynccontextmanager
async def prometheus(
    target: str, *, interval_seconds: int, environment: Mapping[str, str]
) -> AsyncIterator[Prometheus]:
    """Scrapes host:port and evaluates, both every so many seconds; ends with the block.

    The first time its programs have to be fetched or built, which takes minutes.
    """
    programs = await asyncio.to_thread(binaries.ensure, "prometheus")
    with tempfile.TemporaryDirectory(prefix="bench-prometheus-") as folder:
        home, address = Path(folder), f"127.0.0.1:{free_ports(1)[0]}"
        _configure(home, target, interval_seconds)
        command = [str(programs["prometheus"]), f"--config.file={home}/prometheus.yml"]
        command += [f"--storage.tsdb.path={home}/data", f"--web.listen-address={address}"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        server = Prometheus(f"http://{address}")
        try:
            await _until_ready(server, process, home / "log")
            yield server
        finally:
            await server.close()
            process.kill()
            await asyncio.to_thread(process.wait)


async def _until_ready(server: Prometheus, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not await server.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Prometheus did not start: {log.read_text()[-2000:]}")
        await asyncio.sleep(0.1)


def _configure(home: Path, target: str, interval_seconds: int) -> None:
    interval = f"{interval_seconds}s"
    times = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    scrape = {"job_name": "health-monitor", "static_configs": [{"targets": [target]}]}
    rule = {"alert": ALERT, "expr": f"health_monitor_node_score < {WELL}"}
    config = {"global": times, "rule_files": [str(home / "rules.yml")], "scrape_configs": [scrape]}
    (home / "prometheus.yml").write_text(yaml.safe_dump(config))
    (home / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "bench", "rules": [rule]}]}))
