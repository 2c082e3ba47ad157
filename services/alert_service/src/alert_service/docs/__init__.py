"""The generated documents in docs/: each is made from what the code says, and compared with it in CI."""

from alert_service.docs.alerts import alert_catalogue
from alert_service.docs.api import API
from alert_service.docs.configuration import configuration_document
from alert_service.policy.reference import policy_reference
from alert_service.policy.schema import policy_json_schema
from common.docs.make import Documents
from common.docs.notice import GENERATED
from common.docs.text import as_json

DOCUMENTS: Documents = {
    "alerting-api.md": API.markdown,
    "alerting-configuration.md": configuration_document,
    "alerting-openapi.json": API.openapi,
    "alerting-policy.md": lambda: f"{GENERATED}\n\n{policy_reference().rstrip()}\n",
    "alerting-policy.schema.json": lambda: as_json(policy_json_schema()),
    "alerts.md": alert_catalogue,
}
