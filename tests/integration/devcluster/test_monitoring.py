"""Prometheus, Alertmanager and kube-state-metrics: up, reloaded, stopped and started again, and gone."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.support.monitoring import RunAlertmanager, RunPrometheus, posting_to, scraping

from devcluster import DevCluster, DevClusterError, processes
from devcluster.api import wait_for
from devcluster.monitoring import Alertmanager, KubeStateMetrics, Prometheus

NOWHERE = "http://127.0.0.1:9/"
ALWAYS = """
groups:
  - name: test
    rules:
      - alert: AlwaysFires
        expr: vector(1)
        labels: {severity: critical}
"""


def test_an_alert_goes_from_a_rule_through_both(
    run_prometheus: RunPrometheus, run_alertmanager: RunAlertmanager
) -> None:
    alertmanager = run_alertmanager(posting_to(NOWHERE))
    config = scraping({}, [f"127.0.0.1:{alertmanager.port}"], ["rules.yaml"], seconds=0.5)
    prometheus = run_prometheus(config, files={"rules.yaml": "groups: []"})
    prometheus.reload(config, files={"rules.yaml": ALWAYS})

    def firing() -> list[str]:
        alerts = httpx.get(f"{alertmanager.url}/api/v2/alerts").json()
        return [each["labels"]["alertname"] for each in alerts]

    assert wait_for("the alert", firing) == ["AlwaysFires"]


def test_a_wrong_configuration_is_told(run_alertmanager: RunAlertmanager) -> None:
    with pytest.raises(DevClusterError, match="alertmanager ended by itself"):
        run_alertmanager({"route": {"receiver": "nobody"}})
    alertmanager = run_alertmanager(posting_to(NOWHERE))
    with pytest.raises(DevClusterError, match=r"did not take the configuration: .*nobody"):
        alertmanager.reload({"route": {"receiver": "nobody"}})


def silenced(alertmanager: Alertmanager) -> str:
    """The id of a new silence."""
    silence = {
        "matchers": [{"name": "alertname", "value": "x", "isRegex": False}],
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "createdBy": "ana",
        "comment": "why",
    }
    return str(httpx.post(f"{alertmanager.url}/api/v2/silences", json=silence).json()["silenceID"])


def silences(alertmanager: Alertmanager) -> list[str]:
    return [each["id"] for each in httpx.get(f"{alertmanager.url}/api/v2/silences").json()]


def test_peers_share_what_they_know(run_alertmanager: RunAlertmanager) -> None:
    first = run_alertmanager(posting_to(NOWHERE), peers=[])
    second = run_alertmanager(posting_to(NOWHERE), peers=[first], peer_timeout_seconds=1)
    made = silenced(first)
    wait_for("the peer's silence", lambda: silences(second) == [made])


def test_silences_outlive_a_stop_and_nothing_outlives_the_end() -> None:
    with Alertmanager(posting_to(NOWHERE)) as alertmanager:
        made = silenced(alertmanager)
        alertmanager.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(alertmanager.url)
        alertmanager.up()
        assert silences(alertmanager) == [made]
        home = alertmanager.home
    assert not home.exists()
    assert processes.pids(home) == set()


def test_samples_of_the_past_can_be_queried() -> None:
    at = int(time.time()) - 3600
    samples = "".join(f"load {n} {at + 60 * n}\n" for n in range(10))
    prometheus = Prometheus(scraping({}, [], []))
    try:
        prometheus.backfill(f"# TYPE load gauge\n{samples}# EOF\n")
        prometheus.up()
        query = {"query": "load", "start": at, "end": at + 540, "step": 60}
        found = httpx.get(f"{prometheus.url}/api/v1/query_range", params=query).json()
        assert [float(value) for _, value in found["data"]["result"][0]["values"]] == list(range(10))
    finally:
        prometheus.down()


@pytest.mark.cluster
def test_kube_state_metrics_tells_of_a_cluster(devcluster_shared: DevCluster, namespace: str) -> None:
    with KubeStateMetrics(devcluster_shared.kubeconfig) as server:

        def told() -> bool:
            return f'kube_namespace_created{{namespace="{namespace}"}}' in httpx.get(f"{server.url}/metrics").text

        assert wait_for("the namespace", told)
        home = server.home
    assert processes.pids(home) == set()
