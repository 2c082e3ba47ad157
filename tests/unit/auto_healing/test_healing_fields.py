"""Fields of objects by path, and the merge patches that set them."""

from typing import Any

import pytest

from auto_healing.fields import holds, item, patch_setting, value_at

SICK = {"key": "example.com/sick", "effect": "NoSchedule"}
DARK = {"key": "example.com/dark", "effect": "NoExecute", "value": "yes"}
TAINT = ("spec", "taints", item(key="example.com/sick", effect="NoSchedule"))


@pytest.mark.parametrize(
    ("content", "path", "value"),
    [
        pytest.param({"spec": {"replicas": 0}}, ("spec", "replicas"), 0, id="a zero is a value"),
        pytest.param({"spec": {}}, ("spec", "replicas"), None, id="a field that is not there is None"),
        pytest.param({}, ("spec", "replicas"), None, id="and so is one whose parent is not there"),
        pytest.param({"spec": {"taints": [DARK, SICK]}}, TAINT, SICK, id="an item is found by what identifies it"),
        pytest.param({"spec": {"taints": [DARK]}}, TAINT, None, id="another item is not it"),
        pytest.param({"spec": {"taints": None}}, TAINT, None, id="a list that is null has no items"),
    ],
)
def test_a_field_is_found_by_its_path(content: Any, path: tuple[str, ...], value: Any) -> None:
    assert value_at(content, path) == value


@pytest.mark.parametrize(
    ("content", "path", "value", "patch"),
    [
        pytest.param(
            {"spec": {"replicas": 3}}, ("spec", "replicas"), 0, {"spec": {"replicas": 0}}, id="a value is set"
        ),
        pytest.param({}, ("spec", "paused"), None, {"spec": {"paused": None}}, id="None takes it away"),
        pytest.param(
            {"spec": {"taints": [DARK]}},
            TAINT,
            SICK,
            {"spec": {"taints": [DARK, SICK]}},
            id="an item is added beside the others",
        ),
        pytest.param(
            {"spec": {"taints": [SICK, DARK]}},
            TAINT,
            None,
            {"spec": {"taints": [DARK]}},
            id="an item goes, and the others stay",
        ),
        pytest.param({}, TAINT, SICK, {"spec": {"taints": [SICK]}}, id="a list that is not there begins with it"),
        pytest.param(
            {"spec": {"limits": {"cpu": "2", "memory": "1Gi"}}},
            ("spec", "limits"),
            {"cpu": "1"},
            {"spec": {"limits": {"memory": None, "cpu": "1"}}},
            id="what an object had besides is taken away by name",
        ),
    ],
)
def test_a_patch_sets_one_field_alone(content: Any, path: tuple[str, ...], value: Any, patch: Any) -> None:
    assert patch_setting(content, path, value) == patch


@pytest.mark.parametrize(
    ("live", "value", "held"),
    [
        pytest.param(True, True, True, id="the same"),
        pytest.param(None, None, True, id="not there, as it should be"),
        pytest.param(None, True, False, id="not there"),
        pytest.param(SICK | {"timeAdded": "2026-03-01T12:00:00Z"}, SICK, True, id="with a key that was added"),
        pytest.param(SICK | {"effect": "NoExecute"}, SICK, False, id="with a key that was changed"),
        pytest.param({}, SICK, False, id="without a key"),
    ],
)
def test_a_field_holds_what_was_written_to_it(live: Any, value: Any, held: bool) -> None:
    assert holds(live, value) is held
