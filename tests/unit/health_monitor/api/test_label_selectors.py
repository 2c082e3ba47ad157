"""Label selectors match as kubectl's do."""

import pytest

from health_monitor.api.selectors import SelectorInvalid, parse_selector

WEB = {"app": "web", "zone": "a", "k8s.io/role": "front"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="an empty selector matches everything"),
        pytest.param("app=web", True, id="equal"),
        pytest.param("app==web", True, id="equal, written twice"),
        pytest.param("app = web , zone=a", True, id="spaces do not matter"),
        pytest.param("app=api", False, id="another value"),
        pytest.param("app!=api", True, id="not equal"),
        pytest.param("tier!=db", True, id="an absent label is not equal"),
        pytest.param("zone in (a, b)", True, id="one of a set"),
        pytest.param("zone in (b,c)", False, id="none of a set"),
        pytest.param("zone notin (b)", True, id="outside a set"),
        pytest.param("tier notin (b)", True, id="an absent label is outside every set"),
        pytest.param("k8s.io/role", True, id="present"),
        pytest.param("tier", False, id="not present"),
        pytest.param("!tier", True, id="absent"),
        pytest.param("!app", False, id="not absent"),
        pytest.param("app=web,!zone", False, id="all terms must hold"),
        pytest.param("tier=", False, id="an empty value is not an absent label"),
    ],
)
def test_matches(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(WEB) is matches


@pytest.mark.parametrize("text", ["app=web=x", "zone in a", "=x", "app web", "app,,b", "((", "a in (b", "!"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SelectorInvalid, match="cannot read the label selector"):
        parse_selector(text)
