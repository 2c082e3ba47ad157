"""The generated documents in docs/: each is made from what the code says, and compared with it in CI."""

from auto_healing.docs.actions import actions_document
from auto_healing.docs.api import API
from auto_healing.docs.configuration import configuration_document
from auto_healing.docs.guards import guards_document
from auto_healing.docs.policy import policy_document
from auto_healing.policy.schema import policy_json_schema
from common.docs.make import Documents
from common.docs.text import as_json

DOCUMENTS: Documents = {
    "healing-actions.md": actions_document,
    "healing-api.md": API.markdown,
    "healing-configuration.md": configuration_document,
    "healing-guards.md": guards_document,
    "healing-openapi.json": API.openapi,
    "healing-policy.md": policy_document,
    "healing-policy.schema.json": lambda: as_json(policy_json_schema()),
}
