"""The formula: what findings take, how families sum up, and what people expect of a cluster's score."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.contracts import Severity
from health_monitor.engine.scoring import FULL, Loss, capped, family_loss, scaled, thousandths
from health_monitor.engine.settings import ScoringSettings

relaxed = settings(deadline=None, derandomize=True)

SCORING = ScoringSettings()
DEAD = Loss(FULL, FULL)
ADVICE = Loss(2_000, 0)

losses = st.tuples(st.integers(0, FULL), st.integers(0, FULL)).map(lambda pair: Loss(max(pair), min(pair)))
families = st.lists(losses, min_size=1, max_size=50)


def lost(members: list[Loss], count: int | None = None) -> float:
    """Points that a family loses, whose other members are well."""
    total, serious = (sum(loss[n] for loss in members) for n in (0, 1))
    return family_loss(count or len(members), total, serious, SCORING).total / 1000


@pytest.mark.parametrize(
    ("members", "count", "least", "most"),
    [
        pytest.param([], 10_000, 0, 0, id="a family that lost nothing takes nothing"),
        pytest.param([DEAD], 1000, 5, 5.2, id="one dead node of a thousand costs about 5 points"),
        pytest.param([DEAD], 100_000, 5, 5.1, id="it costs as much among a hundred thousand"),
        pytest.param([DEAD] * 15, 100_000, 20, 20.1, id="fifteen dead ones cost 20"),
        pytest.param([DEAD], 1, 100, 100, id="the only member takes all"),
        pytest.param([DEAD] * 50, 100, 60, 65, id="a half that is dead takes more than half"),
        pytest.param([DEAD] * 1000, 1000, 100, 100, id="all dead is nothing left"),
        pytest.param([ADVICE] * 10_000, 10_000, 2, 2, id="ten thousand pods with advice cost 2 points, not 40"),
        pytest.param([Loss(20_000, 20_000)], 10_000, 1.2, 1.4, id="one warning among ten thousand can be seen"),
    ],
)
def test_a_family_loses(members: list[Loss], count: int, least: float, most: float) -> None:
    assert least <= lost(members, count) <= most


@relaxed
@given(families)
def test_a_familys_loss_is_bounded_and_keeps_advice_apart(members: list[Loss]) -> None:
    total, serious = (sum(loss[n] for loss in members) for n in (0, 1))
    loss = family_loss(len(members), total, serious, SCORING)
    assert 0 <= loss.serious <= loss.total <= FULL


@relaxed
@given(families, st.data())
def test_no_members_trouble_raises_the_score(members: list[Loss], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(members) - 1))
    more = data.draw(losses)
    before = members[which]
    worse = Loss(max(before.total, more.total), max(before.serious, more.serious))
    assert lost([*members[:which], worse, *members[which + 1 :]]) >= lost(members)


@relaxed
@given(st.lists(st.integers(0, 3 * FULL), max_size=20))
def test_scaled_parts_add_up_to_what_is_missing_and_keep_their_order(parts: list[int]) -> None:
    made = scaled(parts)
    assert sum(made) == min(FULL, sum(parts))
    assert all(0 <= after <= before for after, before in zip(made, parts, strict=True))


def test_parts_that_fit_are_left_alone() -> None:
    assert scaled([60_000, 20_000]) == [60_000, 20_000]
    assert scaled([]) == []


@pytest.mark.parametrize(
    ("severity", "points"), [(Severity.CRITICAL, 80), (Severity.WARNING, 20), (Severity.INFO, 2)], ids=str
)
def test_points_of_a_severity_are_settings(severity: Severity, points: float) -> None:
    assert SCORING.points(severity) == points
    assert ScoringSettings(critical_points=1, warning_points=1, info_points=1).points(severity) == 1


def test_an_object_cannot_lose_more_than_it_has() -> None:
    assert capped(3 * FULL, 2 * FULL) == DEAD
    assert thousandths(0.0004) == 0
    assert thousandths(12.3456) == 12_346


@pytest.mark.parametrize(
    ("total", "shown"),
    [
        pytest.param(0, 100.0, id="nothing lost"),
        pytest.param(1, 99.9, id="the least loss shows: 100 is perfect only"),
        pytest.param(5_149, 94.8, id="downwards to a tenth"),
        pytest.param(FULL, 0.0, id="all lost"),
    ],
)
def test_a_rounded_score(total: int, shown: float) -> None:
    assert Loss(total, 0).rounded_score == shown
