"""The policy file of auto_healing while the service runs."""

from pathlib import Path

import pytest

from auto_healing.plan import Mode
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.policy.file import PolicyFile
from common.policy.mistakes import PolicyError


def test_a_change_is_followed_and_a_bad_one_keeps_the_last_good_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\nmode: approve\n")
    file = PolicyFile.open(path)
    assert file.policy.mode is Mode.APPROVE

    path.write_text("version: 1\nmode: everything\n")
    assert not file.poll()
    assert file.policy.mode is Mode.APPROVE
    assert [mistake.path for mistake in file.mistakes] == ["mode"]

    path.write_text("version: 1\nmode: auto\n")
    assert file.poll()
    assert (file.policy.mode, file.mistakes) == (Mode.AUTO, ())


def test_without_a_good_file_the_service_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot read"):
        PolicyFile.open(tmp_path / "policy.yaml")


def test_until_it_is_read_the_default_policy_holds(tmp_path: Path) -> None:
    assert PolicyFile(tmp_path / "policy.yaml").policy is DEFAULT_POLICY
