"""The command line against a cluster of its own, from up to down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import DevCluster, processes
from devcluster.__main__ import main
from devcluster.api import collection, wait_for
from devcluster.settings import clusters_folder

pytestmark = pytest.mark.cluster

NAME = f"command-{os.getpid()}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster made by the command, among no others; what fails on the way is removed, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        home = clusters_folder() / NAME
        try:
            assert main(["up", NAME, "--nodes", "3", "--pods", "1", "--node-grace", "20"]) == 0
            yield home
        finally:
            processes.remove(home)


def test_up_leaves_a_cluster_with_a_shop_that_status_shows(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    shown = capsys.readouterr().out
    assert f"{NAME}: ready, 3 nodes," in shown
    assert f"KUBECONFIG={home}/kubeconfig" in shown


def test_scale_changes_nodes_and_remembers_it(home: Path) -> None:
    assert main(["scale", "--name", NAME, "--nodes", "5"]) == 0
    cluster = DevCluster.open(NAME)
    try:
        assert cluster.settings.nodes == len(cluster.api.items(collection("v1/nodes"))) == 5
        assert main(["scale", "--name", NAME, "--nodes", "3", "--pods", "1"]) == 0
        assert len(cluster.api.items(collection("v1/nodes"))) == 3
    finally:
        cluster.close()


def test_a_snapshot_brings_back_what_was_deleted(home: Path, tmp_path: Path) -> None:
    cluster = DevCluster.open(NAME)
    try:
        path = collection("v1/configmaps", "default")
        cluster.api.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": "default"}}
        )
        assert main(["snapshot", "save", str(tmp_path / "one.db"), "--name", NAME]) == 0
        cluster.api.delete(f"{path}/kept")
        assert not cluster.api.exists(f"{path}/kept")
        assert main(["snapshot", "restore", str(tmp_path / "one.db"), "--name", NAME]) == 0
        wait_for("what was saved", lambda: cluster.api.exists(f"{path}/kept"))
    finally:
        cluster.close()
    assert [file.name for file in tmp_path.iterdir()] == ["one.db"]


def test_a_fault_is_switched_by_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fault", "on", "disk-pressure", "general-0001", "--name", NAME]) == 0
    assert main(["fault", "off", "disk-pressure", "--name", NAME]) == 0
    said = capsys.readouterr().err
    assert "disk-pressure is on" in said
    assert "disk-pressure is off" in said


def test_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fault", "list"]) == 0
    assert "bad-rollout" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["up", NAME], "is up already", id="a second one of the name"),
        pytest.param(["up", "No Name"], "is no cluster name", id="a bad name"),
        pytest.param(["down", "nobody"], "no cluster 'nobody' is up", id="an unknown name"),
        pytest.param(["fault", "on", "--name", NAME], "which fault?", id="a fault without a name"),
        pytest.param(["fault", "on", "meteor", "--name", NAME], "there is no fault 'meteor'", id="an unknown fault"),
        pytest.param(["fault", "on", "metrics-gone", "--name", NAME], "devcluster up --metrics", id="no metrics"),
        pytest.param(["fault", "on", "oom-kill", "no/body", "--name", NAME], "no/body has no pods", id="no target"),
        pytest.param(["snapshot", "restore", "none.db", "--name", NAME], "no snapshot none.db", id="no such snapshot"),
    ],
)
def test_every_mistake_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_binaries_prints_where_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["binaries"]) == 0
    paths = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert Path(paths["kube-apiserver"]).is_file()
    assert len(paths) == 10


def test_down_ends_every_process_and_removes_every_file(home: Path) -> None:
    running = processes.pids(home)
    assert len(running) == 5
    assert main(["down", NAME]) == 0
    assert not home.exists()
    assert not any(processes.alive(pid) for pid in running)
