"""The shipped configuration of Alertmanager, by amtool and by a real Alertmanager: where alerts go, what holds back."""

import subprocess
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import yaml
from tests.support.alert_rules import ALERTMANAGER, alert_rules
from tests.support.monitoring import RunAlertmanager

from alert_service.reconciling.inhibition import inhibit_rules
from devcluster import binaries
from devcluster.api import wait_for

Labels = dict[str, str]


def amtool(*arguments: str) -> str:
    command = [str(binaries.ensure("alertmanager")["amtool"]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_well_formed() -> None:
    assert "SUCCESS" in amtool("check-config", "--enable-feature=utf8-strict-mode", str(ALERTMANAGER))


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        pytest.param("heartbeat", ["alertname=Watchdog", "severity=none"], id="the heartbeat has a way of its own"),
        pytest.param("nobody", ["alertname=InfoInhibitor", "severity=none"], id="the inhibitor goes nowhere"),
        pytest.param("alert-service", ["alertname=ApiServerDown", "severity=critical"], id="what is critical arrives"),
        pytest.param("alert-service", ["alertname=PodNotReady", "severity=warning"], id="warnings arrive"),
        pytest.param("alert-service", ["alertname=NodeCpuHigh", "severity=info"], id="what is info arrives"),
        pytest.param("alert-service", ["alertname=Theirs"], id="alerts of others without a severity arrive"),
    ],
)
def test_an_alert_goes_to(receiver: str, labels: list[str]) -> None:
    amtool("config", "routes", "test", f"--config.file={ALERTMANAGER}", f"--verify.receivers={receiver}", *labels)


def test_every_alert_but_plumbing_goes_to_alert_service() -> None:
    for rule in alert_rules():
        labels = [f"alertname={rule['alert']}", *(f"{name}={value}" for name, value in rule["labels"].items())]
        expected = {"Watchdog": "heartbeat", "InfoInhibitor": "nobody"}.get(rule["alert"], "alert-service")
        if rule["labels"]["severity"] in ("critical", "none"):  # each other way through the tree is tried above
            amtool(
                "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"--verify.receivers={expected}", *labels
            )


def alert(name: str, severity: str, **labels: str) -> Labels:
    return {"cluster": "main", "alertname": name, "severity": severity, **labels}


NODE_LOST = alert("NodeUnknown", "warning", node="n1")
POD_ON_IT = alert("PodNotReady", "warning", namespace="shop", pod="web-1", node="n1")
POD_ELSEWHERE = alert("PodNotReady", "warning", namespace="shop", pod="web-2", node="n2")
POD_NOWHERE = alert("PodNotReady", "warning", namespace="shop", pod="web-3")
SCORE_CRITICAL = alert("ClusterScoreLow", "critical")
SCORE_WARNING = alert("ClusterScoreLow", "warning")
DISK_CRITICAL = alert("NodeFilesystemAlmostFull", "critical", node="n2", mountpoint="/")
OTHER_DISK_WARNING = alert("NodeFilesystemAlmostFull", "warning", node="n2", mountpoint="/var")
NONE_LEFT = alert("DeploymentUnavailable", "critical", namespace="shop", deployment="web")
SOME_MISSING = alert("DeploymentReplicasMissing", "warning", namespace="shop", deployment="web")
INHIBITOR = alert("InfoInhibitor", "none", namespace="quiet")
INFO = alert("CpuThrottled", "info", namespace="quiet", pod="p", container="c")
THEIRS_WARNING = alert("Theirs", "warning", namespace="loud", pod="p")
THEIRS_INFO = alert("Theirs", "info", namespace="loud", pod="p")
THEIRS_OTHER_INFO = alert("Theirs", "info", namespace="loud", pod="q")
MANY_LOST = alert("NodesNotReadyMany", "critical", cluster="second")
ONE_OF_THEM = alert("NodeNotReady", "warning", cluster="second", node="n1")
POD_ON_ONE_OF_THEM = alert("PodNotReady", "warning", cluster="second", namespace="shop", pod="web-1", node="n1")
NO_API = alert("ApiServerDown", "critical", cluster="second")
API_SLOW = alert("ApiServerSlow", "warning", cluster="second")
API_FAILS = alert("ApiErrorBudgetBurn", "critical", cluster="second", long="1h", short="5m")
API_SLOW_ELSEWHERE = alert("ApiServerSlow", "warning")

SENT = [
    NODE_LOST,
    POD_ON_IT,
    POD_ELSEWHERE,
    POD_NOWHERE,
    SCORE_CRITICAL,
    SCORE_WARNING,
    DISK_CRITICAL,
    OTHER_DISK_WARNING,
    NONE_LEFT,
    SOME_MISSING,
    INHIBITOR,
    INFO,
    THEIRS_WARNING,
    THEIRS_INFO,
    THEIRS_OTHER_INFO,
    MANY_LOST,
    ONE_OF_THEM,
    POD_ON_ONE_OF_THEM,
    NO_API,
    API_SLOW,
    API_FAILS,
    API_SLOW_ELSEWHERE,
]
HELD_BACK = [
    POD_ON_IT,
    SCORE_WARNING,
    SOME_MISSING,
    INFO,
    THEIRS_INFO,
    ONE_OF_THEM,
    POD_ON_ONE_OF_THEM,
    API_SLOW,
    API_FAILS,
]


def test_alertmanager_holds_back_what_something_worse_explains(run_alertmanager: RunAlertmanager) -> None:
    config = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))
    alertmanager = run_alertmanager(config, files={"secrets/alert-service-token": "none"})
    now = datetime.now(UTC).isoformat()
    body = [{"labels": labels, "startsAt": now} for labels in SENT]
    assert httpx.post(f"{alertmanager.url}/api/v2/alerts", json=body).status_code == 200

    def inhibited() -> list[Labels]:
        found: list[dict[str, Any]] = httpx.get(f"{alertmanager.url}/api/v2/alerts").json()
        if len(found) < len(SENT):
            return []
        return [each["labels"] for each in found if each["status"]["inhibitedBy"]]

    def key(labels: Labels) -> list[tuple[str, str]]:
        return sorted(labels.items())

    held = wait_for("alerts that are held back", lambda: len(now := inhibited()) >= len(HELD_BACK) and now)
    assert sorted(map(key, held)) == sorted(map(key, HELD_BACK))


def test_alert_service_can_explain_each_inhibition() -> None:
    text = ALERTMANAGER.read_text(encoding="utf-8")
    assert len(inhibit_rules(text)) == len(yaml.safe_load(text)["inhibit_rules"])
