"""The two services agree on what can be found, though neither imports the other."""

from auto_healing.policy.codes import KIND_OF_CODE
from health_monitor.checks import CHECKS


def test_policies_know_every_code_of_health_monitor_and_no_other() -> None:
    assert {check.code: check.kind for check in CHECKS} == KIND_OF_CODE
