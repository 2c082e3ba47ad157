"""The generated documents in docs/: each is made from what the code says, and compared with it in CI."""

import json
from collections.abc import Callable, Mapping

from health_monitor.docs.api import api_document, openapi_document
from health_monitor.docs.checks import checks_document
from health_monitor.docs.configuration import configuration_document
from health_monitor.policy.schema import policy_json_schema


def policy_schema_document() -> str:
    return json.dumps(policy_json_schema(), indent=1, ensure_ascii=False) + "\n"


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "api.md": api_document,
    "checks.md": checks_document,
    "configuration.md": configuration_document,
    "openapi.json": openapi_document,
    "policy.schema.json": policy_schema_document,
}
