"""The real Prometheus, kube-state-metrics and Alertmanager with the shipped rules and configuration, in a hurry: nobody
waits a quarter of an hour in a demo."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from devcluster import DevCluster, binaries
from devcluster.api import Access
from devcluster.monitoring import Alertmanager, KubeStateMetrics, Prometheus

DEPLOY = Path(__file__).parents[1] / "deploy"
HURRY = 20  # what takes five minutes takes 15 seconds
RUNBOOKS = "https://example.com/runbooks"  # where an operator publishes docs/runbooks
TO_SERVICES, FROM_ALERTMANAGER = "demo-prometheus", "demo-alertmanager"
SCRAPER, POSTER = {"prometheus:read": TO_SERVICES}, {"alertmanager:operate": FROM_ALERTMANAGER}
_SCRAPE = "2s"
_WAITS = {"for", "keep_firing_for", "group_wait", "group_interval", "repeat_interval"}
_KEPT = {"job_name", "scheme", "honor_labels"}
_JOB = re.compile(r'\bjob="([^"]+)"')
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Server = TypeVar("Server", Alertmanager, Prometheus, KubeStateMetrics)


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What others ask, running."""

    prometheus: Prometheus
    alertmanager: Alertmanager

    def for_alerting(self) -> dict[str, str]:
        """alert_service compares its incidents with what fires, makes silences, and previews them."""
        return {
            "ALERT_SERVICE_ALERTMANAGER__URL": self.alertmanager.url,
            "ALERT_SERVICE_PROMETHEUS__URL": self.prometheus.url,
        }


def programs() -> None:
    """Fetches or builds them, where that was never done. Raises DevClusterError."""
    for each in (Prometheus, Alertmanager, KubeStateMetrics):
        binaries.ensure(each.program)


@contextlib.asynccontextmanager
async def monitoring(cluster: DevCluster, services: Mapping[str, str]) -> AsyncIterator[Monitoring]:
    """All, for the services by job and address, whether those run yet or not."""
    alertmanager = Alertmanager(_posting_to(services["alert-service"]))
    async with _up(KubeStateMetrics(cluster.kubeconfig)) as exporter, _up(alertmanager):
        access = {"authorization": {"credentials": TO_SERVICES}}
        jobs = {job: _static(url) | access for job, url in services.items()}
        jobs |= {"kube-state-metrics": _static(exporter.url), "apiserver": _of_apiserver(cluster)}
        async with _up(Prometheus(_scraping(jobs, alertmanager.url), files=_rules(jobs))) as prometheus:
            yield Monitoring(prometheus, alertmanager)


def _posting_to(alert_service: str) -> dict[str, Any]:
    config: dict[str, Any] = hurried(yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yaml").read_text()))
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", ()):
            webhook["url"] = f"{alert_service}/api/v1/webhooks/alertmanager"
            webhook["http_config"] = {"authorization": {"credentials": FROM_ALERTMANAGER}}
    return config


def _scraping(jobs: Mapping[str, dict[str, Any]], alertmanager: str) -> dict[str, Any]:
    """The shipped jobs, each with its target in the place of what finds targets; those that have none are left out."""
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    config["global"] |= {"scrape_interval": _SCRAPE, "evaluation_interval": _SCRAPE}
    config["global"]["external_labels"] = {"cluster": "demo", "runbooks": RUNBOOKS}
    config["alerting"]["alertmanagers"] = [_static(alertmanager)]
    config["scrape_configs"] = [
        {name: value for name, value in job.items() if name in _KEPT} | jobs[job["job_name"]]
        for job in config["scrape_configs"]
        if job["job_name"] in jobs
    ]
    return config


def _of_apiserver(cluster: DevCluster) -> dict[str, Any]:
    """As its administrator."""
    access = Access.of(cluster.kubeconfig)
    files = {"ca_file": access.ca_file, "cert_file": access.cert_file, "key_file": access.key_file}
    return {"tls_config": files, **_static(access.server)}


def _rules(jobs: Container[str]) -> dict[str, str]:
    """By file name, in a hurry. Without those that would miss a job that is left out."""
    found = {}
    for file in sorted((DEPLOY / "prometheus" / "rules").glob("*.yaml")):
        content = hurried(yaml.safe_load(file.read_text()))
        for group in content["groups"]:
            group["rules"] = [each for each in group["rules"] if all(job in jobs for job in _JOB.findall(each["expr"]))]
        found[f"rules/{file.name}"] = yaml.safe_dump(content)
    return found


def hurried(config: Any) -> Any:
    """With all waits made short."""
    if isinstance(config, list):
        return [hurried(each) for each in config]
    if not isinstance(config, dict):
        return config
    return {key: _shorter(each) if key in _WAITS else hurried(each) for key, each in config.items()}


def _shorter(wait: str) -> str:
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", wait))
    return f"{seconds * 1000 // HURRY}ms"


def _static(url: str) -> dict[str, Any]:
    return {"static_configs": [{"targets": [url.partition("://")[2]]}]}


@contextlib.asynccontextmanager
async def _up(server: Server) -> AsyncIterator[Server]:
    try:
        yield await asyncio.to_thread(server.up)
    finally:
        await asyncio.to_thread(server.down)
