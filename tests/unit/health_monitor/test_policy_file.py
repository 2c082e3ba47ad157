"""A policy file that changes while the service runs."""

import os
from pathlib import Path

import pytest

from common.policy.mistakes import PolicyError
from health_monitor.checks import CHECKS_BY_CODE
from health_monitor.policy.file import PolicyFile

CORDONED = CHECKS_BY_CODE["node-cordoned"]
OFF = "{version: 1, checks: {node-cordoned: {enabled: false}}}"
ON = "{version: 1, checks: {node-cordoned: {enabled: true}}}"
BAD = "{version: 1, checks: {node-cordond: {}}}"


def enabled(file: PolicyFile) -> bool:
    return file.policy.effective(CORDONED).enabled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(OFF)
    return path


def test_the_file_is_read_at_the_start(path: Path) -> None:
    assert not enabled(PolicyFile.open(path))


def test_a_change_is_taken_once(path: Path) -> None:
    file = PolicyFile.open(path)
    assert not file.poll(), "nothing has changed"
    path.write_text(ON + "  ")
    assert file.poll()
    assert enabled(file)
    assert not file.poll()


def test_a_bad_change_keeps_the_last_good_policy_and_tells_why(path: Path) -> None:
    file = PolicyFile.open(path)
    path.write_text(BAD)
    assert not file.poll()
    assert not enabled(file)
    assert [str(mistake) for mistake in file.mistakes] == [
        "checks.node-cordond: no such check; did you mean node-cordoned?"
    ]
    assert not file.poll()
    assert file.mistakes, "it stays told until the file is put right"
    path.write_text(ON)
    assert file.poll()
    assert not file.mistakes
    assert enabled(file)


def test_a_file_that_goes_and_comes_back(path: Path) -> None:
    file = PolicyFile.open(path)
    path.unlink()
    assert not file.poll()
    assert not enabled(file)
    assert f"cannot read {path}" in str(file.mistakes[0])
    path.write_text(OFF)
    assert file.poll()
    assert not file.mistakes


def test_a_config_map_is_followed_through_its_symbolic_links(tmp_path: Path) -> None:
    for version, text in (("first", OFF), ("second", ON)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "policy.yaml").write_text(text)
    os.symlink("first", tmp_path / "..data")
    os.symlink("..data/policy.yaml", tmp_path / "policy.yaml")
    file = PolicyFile.open(tmp_path / "policy.yaml")
    assert not enabled(file)

    os.symlink("second", tmp_path / "..data_tmp")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    assert file.poll()
    assert enabled(file)


def test_a_replaced_file_of_the_same_size_and_time_is_seen(path: Path) -> None:
    file = PolicyFile.open(path)
    other = path.with_name("other.yaml")
    other.write_text(ON.replace("true", "true ").ljust(len(OFF)))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    os.replace(other, path)
    assert file.poll()
    assert enabled(file)


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        pytest.param(b"\xff\xfe", "is not UTF-8 (byte 0)", id="bytes that are no text"),
        pytest.param(b"#" * (1 << 20) + b"#", "is larger than 1 MiB", id="an enormous file"),
        pytest.param(BAD.encode(), "no such check", id="a file with a mistake"),
        pytest.param(None, "cannot read", id="no file"),
    ],
)
def test_a_service_does_not_start_with_a_bad_file(path: Path, content: bytes | None, mistake: str) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError) as error:
        PolicyFile.open(path)
    assert mistake in str(error.value)
