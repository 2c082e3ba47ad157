"""All guards together: their order, failing closed, restoring; and what the documents say of them."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.healing_facts import (
    CHECKOUT,
    Case,
    a_dark_node,
    a_looping_pod,
    a_past_run,
    a_settings,
    an_active_run,
)
from tests.support.rows import a_lease, a_namespace, a_node, a_snapshot

import auto_healing.guards
from auto_healing.facts import Facts, FiringAlert, Pause, Sight
from auto_healing.guards import GUARDS, GUARDS_BY_CODE, run
from auto_healing.guards.catalogue import catalogue
from auto_healing.guards.census import take_census
from auto_healing.guards.settings import GuardSettings
from auto_healing.marks import HEAL
from auto_healing.plan import Decline, Harm, Step
from common.cluster.snapshot import ApiHealth, SourceState
from common.policy.shape import json_schema

every_guard = pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.code)


class Broken:
    code: ClassVar[str] = "broken"
    title: ClassVar[str] = ""
    looks_at: ClassVar[str] = ""
    stops_restoring: ClassVar[bool] = False

    def check(self, _step: Step, _facts: Facts) -> Decline | None:
        raise KeyError("zone-a")


class Strict(Broken):
    stops_restoring: ClassVar[bool] = True


def test_a_pod_that_crashes_for_an_hour_is_healed() -> None:
    assert run(*Case().build()) == ()


def test_a_node_that_is_dark_for_an_hour_is_cordoned() -> None:
    assert run(*Case(target=a_dark_node()).build()) == ()


def test_every_refusal_is_given_in_order() -> None:
    pause = Pause(reason="release", by="ann", since=NOON)
    step, facts = Case(
        rows=[a_looping_pod(), a_namespace(annotations={HEAL: "off"})],
        facts={"pauses": [pause], "alerts": None, "sight": Sight()},
    ).build()
    assert [decline.guard for decline in run(step, facts)] == ["paused", "protected", "fresh-view", "alerts"]


def test_a_guard_that_breaks_is_a_refusal_that_names_it(caplog: pytest.LogCaptureFixture) -> None:
    (decline,) = run(*Case().build(), guards=[Broken()])
    assert decline.guard == "broken"
    assert "KeyError" in decline.message
    assert "guard broken broke" in caplog.text


@every_guard
def test_every_guard_fails_closed(guard: Any) -> None:
    """Whatever it looks at is taken away from it."""

    class Hollow:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"{name} cannot be told")

    step, facts = Case().build()
    hollow: Any = Hollow()
    blind = replace(
        facts, snapshot=hollow, settings=hollow, history=hollow, pauses=hollow, sight=hollow, census=hollow, plan=hollow
    )
    declines = run(step, blind, guards=[guard])
    assert [decline.guard for decline in declines] == [guard.code]
    assert run(replace(step, harm=Harm.RESTORING), blind, guards=[guard]) == ()


def test_only_a_guard_that_says_so_stops_what_restores() -> None:
    step, facts = Case(step={"harm": Harm.RESTORING}).build()
    assert [each.guard for each in run(step, facts, guards=[Broken(), Strict()])] == ["broken"]


TRIPPED: dict[str, dict[str, Any]] = {
    "paused": {"facts": {"pauses": [Pause(reason="release", by="ann", since=NOON)]}},
    "protected": {"settings": {"protected": {"namespaces": ["*"], "control_plane": True}}},
    "fresh-view": {"snapshot": {"api": ApiHealth(unreachable_since=NOON), "sources": {"Pod": SourceState.STALE}}},
    "still-true": {"facts": {"open_findings": {}}},
    "owner-in-flight": {"history": (an_active_run(a_dark_node()), an_active_run(a_looping_pod(), owner=CHECKOUT))},
    "grace": {"settings": {"grace": {"default": "9d", "codes": {"pod-crash-loop": "9d", "node-unknown": "9d"}}}},
    "attempts": {"settings": {"attempts": {"most": 0}}},
    "disruption-budget": {"settings": {"disruption_budget": {"nodes_per_zone": 0, "pool_ratio": 0.0}}},
    "storm": {"facts": {"sight": Sight(synced_at=NOON, health_monitor_heard_at=NOON, storm_at=NOON)}},
    "maintenance-window": {"settings": {"maintenance_window": {"otherwise": "deny"}}},
    "alerts": {"facts": {"alerts": [FiringAlert(name="EtcdDown", labels={"severity": "critical"}, since=NOON)]}},
    "rate-limit": {"settings": {"rate_limit": {"pods_per_minute": 0}}},
}


@pytest.mark.parametrize("code", TRIPPED)
def test_what_trips_a_guard_trips_it_for_pods_or_nodes(code: str) -> None:
    cases = [Case(target=target, **TRIPPED[code]) for target in (a_looping_pod(), a_dark_node())]
    assert any(code in {decline.guard for decline in run(*case.build())} for case in cases)


@settings(max_examples=60, deadline=None)
@given(
    tripped=st.sets(st.sampled_from(sorted(TRIPPED)), min_size=1),
    target=st.sampled_from([a_looping_pod(), a_dark_node(), a_node(unschedulable=True)]),
    action=st.sampled_from(["uncordon", "scale-back", "delete-pod", "drain"]),
)
def test_a_tripped_guard_never_stops_a_restoring_step(tripped: set[str], target: Any, action: str) -> None:
    """A breaker that also paused uncordon left half a cluster cordoned."""
    merged: dict[str, Any] = {}
    for code in tripped:
        for key, value in TRIPPED[code].items():
            merged[key] = merged[key] | value if isinstance(merged.get(key), dict) else value
    step, facts = Case(target=target, action=action, **merged).build()
    assert run(replace(step, harm=Harm.RESTORING), facts) == ()


def test_a_census_is_of_what_nodes_are_now() -> None:
    """Though most of it is known from the one before."""
    well, lease = a_node("n1"), a_lease("n1", renewed_at=NOON)
    cordoned = a_node("n1", unschedulable=True)
    counted = [take_census(a_snapshot(node, lease), NOON).disrupted for node in (well, cordoned, well)]
    assert counted == [0, 1, 0]
    snapshot = a_snapshot(well, lease)
    later = [take_census(snapshot, NOON + timedelta(minutes=minutes)).disagreeing for minutes in (0, 10, 0)]
    assert later == [(), ("n1",), ()], "its Lease grows old"
    assert take_census(a_snapshot(), NOON).nodes == 0


def test_a_census_that_is_carried_along_changes_no_answer() -> None:
    for case in (Case(), Case(target=a_dark_node()), Case(target=a_node(), history=(an_active_run(a_node("node-2")),))):
        step, facts = case.build()
        assert run(step, facts) == run(step, replace(facts, census=take_census(facts.snapshot, facts.now)))


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_history_and_plans_changes_no_answer(order: list[int]) -> None:
    past = [
        a_past_run(
            a_looping_pod(), owner=CHECKOUT, started_at=NOON - timedelta(minutes=n), ended_at=None if n == 1 else NOON
        )
        for n in (1, 2, 3, 70, 80, 90)
    ]
    shuffled = tuple(past[n] for n in order)
    assert run(*Case(history=shuffled).build()) == run(*Case(history=tuple(past)).build())
    assert run(*Case(facts={"planned": shuffled}).build()) == run(*Case(facts={"planned": past}).build())


# --- catalogue and settings


def test_every_file_of_a_guard_is_in_the_list() -> None:
    folder = Path(auto_healing.guards.__file__).parent
    codes = {
        found
        for path in folder.glob("*.py")
        for found in re.findall(r'^    code: ClassVar\[str\] = "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert codes == set(GUARDS_BY_CODE)
    assert len(GUARDS) == len(GUARDS_BY_CODE)
    for guard in GUARDS:
        assert (folder / f"{guard.code.replace('-', '_')}.py").exists()


@every_guard
def test_a_guard_explains_itself(guard: Any) -> None:
    assert guard.title.endswith("?")
    assert guard.looks_at.endswith(".")
    assert not guard.stops_restoring


def test_every_setting_is_of_a_guard_and_says_why() -> None:
    entries = {entry.code: entry for entry in catalogue()}
    assert list(entries) == list(GUARDS_BY_CODE)
    assert {name.replace("_", "-") for name in GuardSettings.model_fields} <= set(entries)
    settings_of_all = [setting for entry in entries.values() for setting in entry.settings]
    assert len(settings_of_all) == sum(len(type(group).model_fields) for _, group in GuardSettings())
    for setting in settings_of_all:
        assert len(setting.description) > 20, setting.path
    shown = {setting.path: setting.default for setting in settings_of_all}
    assert shown["guards.fresh_view.settle"] == "1m"
    assert shown["guards.protected.control_plane"] == "true"
    assert "node-unknown: 5m" in shown["guards.grace.codes"]


def test_settings_are_what_their_schema_and_their_json_say() -> None:
    schema = json_schema(GuardSettings)
    assert set(schema["properties"]) == set(GuardSettings.model_fields)
    assert GuardSettings.model_validate(GuardSettings().model_dump(mode="json")) == GuardSettings()


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        GuardSettings().storm.nodes = 1  # type: ignore[misc]


def test_all_mistakes_in_settings_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="3 validation errors"):
        a_settings(storm={"nodes": 0, "cooldown": "soon"}, alerts={"ignored": "("})
