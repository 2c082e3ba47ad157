"""The policy file of this service, followed through its changes."""

from pathlib import Path

from alert_service.policy.parse import parse_policy
from alert_service.policy.settings import AlertPolicy
from common.policy import file


class PolicyFile(file.PolicyFile[AlertPolicy]):
    def __init__(self, path: Path) -> None:
        super().__init__(path, parse=parse_policy, default=AlertPolicy())

    @classmethod
    def open(cls, path: Path) -> "PolicyFile":
        """For a start: raises PolicyError when there is no good file yet."""
        return cls(path).opened()
