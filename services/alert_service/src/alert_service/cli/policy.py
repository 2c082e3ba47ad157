"""`alert-service policy`: imported when it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alert_service.cli import policy_explain
from common.cli.policy import PolicyCommand


def _opened(file: Path) -> object:
    from alert_service.policy.file import PolicyFile

    return PolicyFile.open(file)


def _schema() -> Mapping[str, Any]:
    from alert_service.policy.schema import policy_json_schema

    return policy_json_schema()


COMMAND = PolicyCommand(
    _opened,
    _schema,
    others=(policy_explain,),
    what="check a policy file, say whom an alert would be told to, or print the schema of a file",
)
