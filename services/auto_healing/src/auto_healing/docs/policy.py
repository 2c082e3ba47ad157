"""docs/healing-policy.md: the reference of policy files."""

from auto_healing.policy.reference import policy_reference
from common.docs.notice import GENERATED


def policy_document() -> str:
    return f"{GENERATED}\n\n{policy_reference().rstrip()}\n"
