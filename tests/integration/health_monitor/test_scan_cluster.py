"""`health-monitor scan` of a real control plane."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.support.logs import restored_logs

from devcluster import DevCluster
from health_monitor.__main__ import main

__all__ = ["restored_logs"]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("restored_logs")]

# Modules that a scan must not load: they cost half a second and 100 MB.
HEAVY = (
    "fastapi",
    "starlette",
    "sqlalchemy",
    "alembic",
    "procrastinate",
    "psycopg",
    "uvicorn",
    "kubernetes_asyncio.client.models",
)


@pytest.fixture
def sick(devcluster_shared: DevCluster, namespace: str) -> str:
    """A namespace with an evicted pod."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "victim", "namespace": namespace},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "app", "image": "app:1"}]},
    }
    devcluster_shared.api.create(pod)
    status = {"status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}
    devcluster_shared.api.patch(f"/api/v1/namespaces/{namespace}/pods/victim/status", status)
    return namespace


def scan(cluster: DevCluster, *arguments: str) -> int:
    return main(["scan", "--kubeconfig", str(cluster.kubeconfig), *arguments])


def test_the_whole_cluster_is_reported(
    devcluster_shared: DevCluster, sick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(devcluster_shared, "-o", "json") == 0
    report = json.loads(capsys.readouterr().out)

    assert report["objects"]["nodes"] >= 1
    assert report["server_version"].startswith("v1.")
    assert {zone["object"]["name"] for zone in report["zones"]} >= {"zone-a"}
    assert sick in {each["finding"]["object"]["namespace"] for each in report["findings"]}


def test_one_namespace_is_reported_as_a_table(
    devcluster_shared: DevCluster, sick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(devcluster_shared, "--namespace", sick, "--top", "0") == 0
    text = capsys.readouterr().out

    assert "pod-evicted" in text
    assert "victim" in text


def test_a_score_below_the_threshold_is_exit_code_1(devcluster_shared: DevCluster, sick: str, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"

    assert scan(devcluster_shared, "-n", sick, "--fail-under", "100", "-o", "junit", "--file", str(file)) == 1
    assert ElementTree.parse(file).getroot().find(".//failure") is not None


def test_the_page_is_written(devcluster_shared: DevCluster, sick: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"

    assert scan(devcluster_shared, "-n", sick, "-o", "html", "--file", str(file)) == 0
    assert "pod-evicted" in file.read_text(encoding="utf-8")


def test_a_scan_loads_nothing_heavy(devcluster_shared: DevCluster) -> None:
    program = (
        "import sys; from health_monitor.__main__ import main; "
        f"main(['scan', '--kubeconfig', {str(devcluster_shared.kubeconfig)!r}, '--file', '/dev/null']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
