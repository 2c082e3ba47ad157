"""The generated documents in docs/: each is made from what the code says, and compared with it in CI."""

from common.docs.make import Documents
from common.docs.text import as_json
from health_monitor.docs.api import API
from health_monitor.docs.checks import checks_document
from health_monitor.docs.configuration import configuration_document
from health_monitor.policy.schema import policy_json_schema


def policy_schema_document() -> str:
    return as_json(policy_json_schema())


DOCUMENTS: Documents = {
    "api.md": API.markdown,
    "checks.md": checks_document,
    "configuration.md": configuration_document,
    "openapi.json": API.openapi,
    "policy.schema.json": policy_schema_document,
}
