"""The policy file of this service, followed through its changes."""

from pathlib import Path

from auto_healing.policy import HealingPolicy
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.policy.parse import parse_policy
from common.policy import file


class PolicyFile(file.PolicyFile[HealingPolicy]):
    def __init__(self, path: Path) -> None:
        super().__init__(path, parse=parse_policy, default=DEFAULT_POLICY)

    @classmethod
    def open(cls, path: Path) -> "PolicyFile":
        """For a start: raises PolicyError when there is no good file yet."""
        return cls(path).opened()
