"""Prometheus and Alertmanager for tests: the real programs, gone at the end of the test that asked for them."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from devcluster.monitoring import Alertmanager, Prometheus

Json = dict[str, Any]


class RunPrometheus(Protocol):
    def __call__(self, config: Json | str, **options: Any) -> Prometheus: ...


class RunAlertmanager(Protocol):
    def __call__(self, config: Json | str, **options: Any) -> Alertmanager: ...


@pytest.fixture
def run_prometheus() -> Iterator[RunPrometheus]:
    """Starts a Prometheus with a configuration."""
    with ExitStack() as stack:
        yield lambda config, **options: stack.enter_context(Prometheus(config, **options))


@pytest.fixture
def run_alertmanager() -> Iterator[RunAlertmanager]:
    """Starts an Alertmanager with a configuration."""
    with ExitStack() as stack:
        yield lambda config, **options: stack.enter_context(Alertmanager(config, **options))


def posting_to(url: str, token: str = "", *, seconds: float = 1, **webhook: Any) -> Json:
    """The configuration of an Alertmanager that posts every group to a webhook, after `seconds` and not later."""
    pace = f"{int(seconds * 1000)}ms"
    authorization = {"http_config": {"authorization": {"credentials": token}}} if token else {}
    receiver = {"url": url, "send_resolved": True, **authorization, **webhook}
    return {
        "route": {
            "receiver": "alert-service",
            "group_by": ["alertname", "cluster", "namespace"],
            "group_wait": pace,
            "group_interval": pace,
            "repeat_interval": "4h",
        },
        "receivers": [{"name": "alert-service", "webhook_configs": [receiver]}],
    }


def scraping(
    targets: dict[str, list[str]], alertmanagers: list[str], rule_files: list[str], *, seconds: float = 1, **job: Any
) -> Json:
    """The configuration of a Prometheus that scrapes and evaluates each `seconds`. Targets are host:port by job."""
    pace = f"{int(seconds * 1000)}ms"
    return {
        "global": {"scrape_interval": pace, "scrape_timeout": pace, "evaluation_interval": pace},
        "rule_files": rule_files,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": alertmanagers}]}]},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": addresses}], **job} for name, addresses in targets.items()
        ],
    }
