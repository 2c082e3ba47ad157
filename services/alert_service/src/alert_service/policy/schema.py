"""The shape of a policy file, published as JSON Schema."""

from typing import Any

from alert_service.policy.settings import AlertPolicy
from common.policy.shape import json_schema


def policy_json_schema() -> dict[str, Any]:
    """For editors, and for whoever checks a policy file before it is rolled out."""
    return json_schema(AlertPolicy)
