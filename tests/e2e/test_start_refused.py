"""What cannot work is told in one line by the real program, with an exit code and without a traceback."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.apiserver import kubeconfig_for
from tests.support.service import PROGRAM, environment, running

from devcluster import DevCluster

NOBODY = "http://127.0.0.1:1"


def run(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment(**settings), capture_output=True, text=True, timeout=120, check=False
    )


def a_kubeconfig(folder: Path, content: object) -> Path:
    path = folder / "kubeconfig"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def refused(result: subprocess.CompletedProcess[str], saying: str) -> None:
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert re.fullmatch(rf"health-monitor: [^\n]*{saying}[^\n]*\n", result.stderr), result.stderr


EXEC = {"exec": {"command": "/no/such/plugin", "apiVersion": "client.authentication.k8s.io/v1"}}


@pytest.mark.parametrize(
    ("command", "content", "saying"),
    [
        pytest.param("serve", "{", "kubeconfig", id="no YAML"),
        pytest.param("scan", "[]", "kubeconfig", id="a list"),
        pytest.param("serve", kubeconfig_for(NOBODY) | {"current-context": "other"}, "other", id="no such context"),
        pytest.param("serve", kubeconfig_for(NOBODY, EXEC), "is the exec plugin installed", id="no such plugin"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, command: str, content: object, saying: str) -> None:
    path = a_kubeconfig(tmp_path, content)
    result = run(command, "--kubeconfig", str(path))
    refused(result, saying)
    assert str(path) in result.stderr


def test_a_server_that_does_not_answer_ends_a_scan_with_its_address(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path, kubeconfig_for(NOBODY))
    refused(run("scan", "--kubeconfig", str(path)), re.escape("127.0.0.1:1"))


@pytest.mark.cluster
class TestAWrongToken:
    @pytest.fixture
    def kubeconfig(self, devcluster_shared: DevCluster, tmp_path: Path) -> Iterator[Path]:
        config = yaml.safe_load(devcluster_shared.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": "a-token-that-nobody-knows"}
        return a_kubeconfig(tmp_path, config)

    def test_it_ends_a_scan(self, kubeconfig: Path) -> None:
        refused(run("scan", "--kubeconfig", str(kubeconfig)), "the credentials are wrong or have expired")

    async def test_it_is_told_by_readyz_as_long_as_it_lasts(self, kubeconfig: Path) -> None:
        async with running(kubeconfig) as service:
            await service.becomes("cluster", "failing", "the credentials are wrong or have expired")
            assert (await service.answer("/readyz")).status_code == 503
            assert (await service.answer("/livez")).status_code == 200
            assert (await service.answer("/api/v1/cluster")).status_code == 503


@pytest.mark.parametrize(
    ("settings", "saying"),
    [
        pytest.param({"WEB__PROT": "8080"}, "did you mean HEALTH_MONITOR_WEB__PORT", id="no such setting"),
        pytest.param({"DATABASE__URL": "mysql://root:pa55word@db"}, "HEALTH_MONITOR_DATABASE__URL", id="no PostgreSQL"),
        pytest.param({"POLICY__FILE": "/no/such/policy.yaml"}, "/no/such/policy.yaml", id="no such policy"),
        pytest.param({"WEB__HOST": "0.0.0.0"}, "nobody could use the API", id="open to all, and to nobody"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: dict[str, str], saying: str) -> None:
    path = a_kubeconfig(tmp_path, kubeconfig_for(NOBODY))
    result = run("serve", CLUSTER__KUBECONFIG=path, **{"WEB__PORT": 0} | settings)
    refused(result, saying)
    assert "pa55word" not in result.stderr


def test_several_mistakes_are_all_named(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path, kubeconfig_for(NOBODY))
    result = run("serve", CLUSTER__KUBECONFIG=path, WEB__PORT="http", EVENTS__BUFFER="3")
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert all(any(name in line for line in lines) for name in ("WEB__PORT", "EVENTS__BUFFER"))
