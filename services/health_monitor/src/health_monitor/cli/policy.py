"""`health-monitor policy`, and the policy that other commands go by."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cli.failure import CommandFailed
from common.cli.policy import PolicyCommand

if TYPE_CHECKING:
    from health_monitor.policy import Policy


def _opened(file: Path) -> object:
    from health_monitor.policy.file import PolicyFile

    return PolicyFile.open(file)


def _schema() -> Mapping[str, Any]:
    from health_monitor.policy.schema import policy_json_schema

    return policy_json_schema()


COMMAND = PolicyCommand(_opened, _schema)


def read_policy(path: Path | None) -> "Policy":
    """The policy of a file, for other commands; the default one without a file."""
    from health_monitor.policy import DEFAULT_POLICY

    if path is None:
        return DEFAULT_POLICY
    from common.policy.mistakes import PolicyError
    from health_monitor.policy.file import PolicyFile

    try:
        return PolicyFile.open(path).policy
    except PolicyError as error:
        raise CommandFailed(f"{path}: {error}") from None
