"""Who somebody is, and what they may do: ids are believed, and names only where the policy knows one such person."""

import pytest

from alert_service.clicks.people import People
from alert_service.incidents.acts import ActKind
from alert_service.policy.settings import AlertPolicy
from common.web.auth import Identity, Scope

POLICY = AlertPolicy.model_validate(
    {
        "people": {
            "ana": {
                "identity": "ana@example.com",
                "shown": "Ana",
                "slack": "U0ANA",
                "rights": ["acknowledge", "approve"],
            },
            "ben": {"identity": "ben@example.com", "slack": "U0BEN"},
            "other-ana": {"identity": "other@example.com", "shown": "Anna"},
            "third-ana": {"identity": "third@example.com", "shown": "Anna"},
        }
    }
)
PEOPLE = People.of(POLICY)
DECISIONS = {ActKind.APPROVE, ActKind.DENY}


def test_a_slack_id_is_somebody_of_the_policy() -> None:
    found = PEOPLE.by_slack("U0ANA")

    assert found is not None
    assert (found.name, found.shown) == ("ana@example.com", "Ana")
    assert found.rights == {ActKind.ACKNOWLEDGE, ActKind.APPROVE, ActKind.RUNBOOK, ActKind.EXPLAIN}


@pytest.mark.parametrize("user", ["", "u0ana", "U0EVE", "ana"], ids=repr)
def test_no_other_slack_id_is(user: str) -> None:
    assert PEOPLE.by_slack(user) is None


def test_somebody_whom_the_policy_does_not_name_may_only_look() -> None:
    guest = PEOPLE.guest("slack", "U0EVE", "ana@example.com")

    assert guest.name == "slack:U0EVE"  # not what they call themselves
    assert guest.rights == {ActKind.RUNBOOK, ActKind.EXPLAIN}


def test_nobody_may_approve_who_was_not_given_that_right() -> None:
    ben = PEOPLE.called("ben")

    assert ben is not None
    assert not ben.rights & DECISIONS
    assert [name for name, _ in PEOPLE.who_may(ActKind.APPROVE)] == ["ana"]


@pytest.mark.parametrize(
    ("said", "who"),
    [
        pytest.param("ana", "ana@example.com", id="the name in the policy"),
        pytest.param("ANA@example.com ", "ana@example.com", id="the identity, however it is typed"),
        pytest.param("Ana", "ana@example.com", id="what cards call them"),
        pytest.param("anna", None, id="a name that two have"),
        pytest.param("", None, id="nothing"),
        pytest.param("eve", None, id="somebody else"),
    ],
)
def test_people_are_found_by_what_they_call_themselves(said: str, who: str | None) -> None:
    found = PEOPLE.called(said)

    assert (found and found.name) == who


@pytest.mark.parametrize(
    ("scopes", "may", "may_not"),
    [
        pytest.param([Scope.READ], {ActKind.EXPLAIN}, {ActKind.ACKNOWLEDGE, *DECISIONS}, id="who may read, looks"),
        pytest.param([Scope.APPROVE], DECISIONS, {ActKind.SILENCE}, id="who may approve, decides"),
        pytest.param([Scope.OPERATE], {ActKind.SILENCE, ActKind.RESOLVE}, DECISIONS, id="who operates does the rest"),
        pytest.param([Scope.ADMIN], set(ActKind), set(), id="who administers may everything"),
    ],
)
def test_a_token_may_what_its_scopes_say(scopes: list[Scope], may: set[ActKind], may_not: set[ActKind]) -> None:
    rights = PEOPLE.caller(Identity.of("robot", scopes)).rights

    assert may <= rights
    assert not may_not & rights


def test_a_token_of_somebody_of_the_policy_may_also_what_the_policy_says() -> None:
    caller = PEOPLE.caller(Identity.of("ana@example.com", [Scope.READ]))

    assert caller.shown == "Ana"
    assert ActKind.APPROVE in caller.rights
