"""Which rights a policy needs, by the mode of its rules; and how missing ones are told."""

from typing import Any

import pytest

from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.cleanup.settings import CleanupSettings
from auto_healing.plan import Mode
from auto_healing.policy import CALL_A_HUMAN, HealingPolicy, Match, Rule, Rung
from auto_healing.rights import Right, grouped, needed

OFF = {rule.code: {"mode": "off"} for rule in CLEANUP_ACTIONS}
EVICT = Right("", "pods/eviction", "create")
LOOK_AT_MAPS, DELETE_MAPS = Right("", "configmaps", "list"), Right("", "configmaps", "delete")


def a_policy(mode: Mode = Mode.OFF, *ladder: str, **cleanup: Any) -> HealingPolicy:
    rule = Rule(name="crashes", match=Match(), ladder=tuple(Rung(action=action) for action in ladder), mode=mode)
    return HealingPolicy(rules=(rule,), cleanup=CleanupSettings.model_validate(OFF | cleanup))


@pytest.mark.parametrize(
    ("policy", "needs", "not_needed"),
    [
        pytest.param(a_policy(), set(), {EVICT}, id="nothing when everything is off"),
        pytest.param(a_policy(Mode.AUTO, "evict-pod"), {EVICT}, {DELETE_MAPS}, id="what acts by itself"),
        pytest.param(a_policy(Mode.APPROVE, "evict-pod"), {EVICT}, set(), id="what acts after approval"),
        pytest.param(a_policy(Mode.OBSERVE, "evict-pod"), set(), {EVICT}, id="what only observes needs no write"),
        pytest.param(a_policy(Mode.AUTO, CALL_A_HUMAN), set(), {EVICT}, id="a human needs none"),
        pytest.param(
            a_policy(**{"clean-config-maps": {"mode": "observe"}}),
            {LOOK_AT_MAPS},
            {DELETE_MAPS},
            id="cleanup that observes has to look",
        ),
        pytest.param(
            a_policy(**{"clean-config-maps": {"mode": "auto"}}),
            {LOOK_AT_MAPS, DELETE_MAPS},
            {EVICT},
            id="cleanup that acts",
        ),
    ],
)
def test_what_a_policy_needs(policy: HealingPolicy, needs: set[Right], not_needed: set[Right]) -> None:
    found = needed(policy).keys()
    assert needs <= found
    assert not not_needed & found


def test_missing_rights_are_told_by_resource_as_rules_that_can_be_added() -> None:
    lacking = [
        (Right("apps", "deployments", "patch"), {"roll-back"}),
        (EVICT, {"evict-pod", "drain"}),
        (Right("apps", "deployments", "get"), {"restart-rollout"}),
    ]
    assert [str(each) for each in grouped(lacking)] == [
        '{apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"]}, for drain, evict-pod',
        '{apiGroups: ["apps"], resources: ["deployments"], verbs: ["get", "patch"]}, for restart-rollout, roll-back',
    ]
