"""`auto-healing policy`: imported when it runs, since the policy knows every action and guard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.cli.policy import PolicyCommand


def _opened(file: Path) -> object:
    from auto_healing.policy.file import PolicyFile

    return PolicyFile.open(file)


def _schema() -> Mapping[str, Any]:
    from auto_healing.policy.schema import policy_json_schema

    return policy_json_schema()


COMMAND = PolicyCommand(_opened, _schema)
