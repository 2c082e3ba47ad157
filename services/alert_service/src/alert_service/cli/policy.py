"""`alert-service policy`: imported when it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.cli.policy import PolicyCommand


def _opened(file: Path) -> object:
    from alert_service.policy.file import PolicyFile

    return PolicyFile.open(file)


def _schema() -> Mapping[str, Any]:
    from alert_service.policy.schema import policy_json_schema

    return policy_json_schema()


COMMAND = PolicyCommand(_opened, _schema)
