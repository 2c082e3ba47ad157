"""The reference of policy files tells everything that a file may say."""

from auto_healing.plan import Mode
from auto_healing.policy.defaults import DEFAULT_RULES
from auto_healing.policy.parse import parse_policy
from auto_healing.policy.reference import EXAMPLE, policy_reference
from auto_healing.policy.schema import policy_json_schema


def test_its_example_is_a_good_policy() -> None:
    policy = parse_policy(EXAMPLE)
    assert policy.rules[0].name == "payments"
    assert policy.cleanup.clean_evicted_pods.mode is Mode.AUTO
    assert EXAMPLE in policy_reference()


def test_every_setting_has_a_row_or_a_section() -> None:
    text, schema = policy_reference(), policy_json_schema()
    names = {name for each in (schema, *schema["$defs"].values()) for name in each.get("properties", {})}
    assert len(names) > 80
    told = {name for name in names if any(form in text for form in (f"| `{name}` |", f"# `{name}`\n", f".{name}`\n"))}
    assert names - told == set()


def test_every_default_rule_has_its_row() -> None:
    text = policy_reference()
    assert all(f"| {rule.name} |" in text for rule in DEFAULT_RULES)


def test_defaults_are_those_that_hold_and_not_those_of_the_type() -> None:
    """Unused ConfigMaps are left for longer than what most cleanups are about."""
    section = policy_reference().split("`cleanup.clean-config-maps`")[1].split("####")[0]
    assert "| `min_age` | `7d` |" in section
