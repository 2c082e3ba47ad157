"""The policy file of this service, followed through its changes."""

from pathlib import Path

from common.policy import file
from health_monitor.policy import DEFAULT_POLICY, Policy
from health_monitor.policy.parse import parse_policy


class PolicyFile(file.PolicyFile[Policy]):
    def __init__(self, path: Path) -> None:
        super().__init__(path, parse=parse_policy, default=DEFAULT_POLICY)

    @classmethod
    def open(cls, path: Path) -> "PolicyFile":
        """For a start: raises PolicyError when there is no good file yet."""
        return cls(path).opened()
