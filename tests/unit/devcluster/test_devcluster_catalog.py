"""The pinned versions, in the catalogue and in the Go modules, are the same; version checks and file names follow."""

from __future__ import annotations

import re

import pytest

from devcluster.binaries.build import GO_FROM_PYPI, _numbers, _output_name, needed_go
from devcluster.binaries.catalog import GROUPS, Group, Sites, Tool
from devcluster.binaries.download import DownloadError, published_sum

EVERY_GROUP = [pytest.param(group, id=name) for name, group in GROUPS.items()]


@pytest.mark.parametrize("group", EVERY_GROUP)
def test_every_tool_is_pinned_in_its_module_at_the_version_of_the_catalogue(group: Group) -> None:
    module = (group.module / "go.mod").read_text()
    assert set(re.findall(r"^\t(\S+)$", module, re.MULTILINE)) == {tool.package for tool in group.tools}
    for tool in group.tools:
        versions = {
            version
            for path, version in re.findall(r"^(?:require|\t)\s*(\S+) v(\S+)", module, re.MULTILINE)
            if tool.package == path or tool.package.startswith(f"{path}/")
        }
        # Prometheus 3.15.0 is the Go module 0.315.0.
        major, minor, patch = tool.version.split(".")
        assert tool.version in versions or f"0.{major}{int(minor):02d}.{patch}" in versions, tool.name


@pytest.mark.parametrize("group", EVERY_GROUP)
def test_go_from_pypi_is_new_enough_and_every_dependency_has_a_checksum(group: Group) -> None:
    assert _numbers(GO_FROM_PYPI) >= _numbers(needed_go(group))
    assert (group.module / "go.sum").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("version", "output", "fits"),
    [
        pytest.param("1.36.3", "Kubernetes v1.36.3", True, id="the same version fits"),
        pytest.param("1.36.3", "Client Version: v1.36.0\nKustomize Version: v5.8.1", True, id="another patch fits"),
        pytest.param("1.36.3", "Client Version: v1.32.4-dispatcher", False, id="another minor does not"),
        pytest.param("1.36.3", "", False, id="no answer does not"),
        pytest.param("0.31.1", "alertmanager, version 0.31.0 (branch: HEAD)", True, id="a sentence is searched"),
    ],
)
def test_a_found_program_fits_by_major_and_minor_version(version: str, output: str, fits: bool) -> None:
    assert Tool("any", "example/any", version).fits(output) is fits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ABC\n", "abc", id="a bare sum"),
        pytest.param("111  other.tar.gz\n222  file.tar.gz\n", "222", id="a line of many"),
        pytest.param("222 *file.tar.gz\n", "222", id="a line in binary mode"),
    ],
)
def test_published_checksums_are_read_in_every_form(text: str, expected: str) -> None:
    assert published_sum(text, "file.tar.gz") == expected


@pytest.mark.parametrize("text", [pytest.param("", id="an empty file"), pytest.param("111  other\n222\n", id="others")])
def test_a_file_without_a_published_checksum_is_refused(text: str) -> None:
    with pytest.raises(DownloadError, match=r"no checksum is published for file\.tar\.gz"):
        published_sum(text, "file.tar.gz")


@pytest.mark.parametrize(
    ("package", "name"),
    [
        pytest.param("k8s.io/kubernetes/cmd/kubectl", "kubectl", id="the last element"),
        pytest.param("go.etcd.io/etcd/server/v3", "server", id="not a major version"),
        pytest.param("helm.sh/helm/v4/cmd/helm", "helm", id="a major version in the middle"),
    ],
)
def test_go_names_a_program_after_its_package(package: str, name: str) -> None:
    assert _output_name(package) == name


def test_a_mirror_is_named_by_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVCLUSTER_SITE_GITHUB", "https://mirror.example/github/")
    sites = Sites.from_environment()
    assert (sites.github, sites.helm) == ("https://mirror.example/github", "https://get.helm.sh")
