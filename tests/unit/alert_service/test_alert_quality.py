"""What is to be done about a rule, by what became of its incidents."""

from dataclasses import replace

import pytest

from alert_service.explaining.quality import Advice, Tally, judged

FINE = Tally(
    rule="KubePodCrashLooping",
    incidents=10,
    told=10,
    acknowledged=8,
    healed=1,
    self_resolved=1,
    quickly=0,
    in_vain=2,
    escalated=3,
    open=1,
    ack_seconds=90.0,
    noisy=0,
    useful=0,
)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        pytest.param({}, Advice.FINE, id="what is acted upon is fine"),
        pytest.param({"incidents": 4, "quickly": 4}, Advice.TOO_FEW, id="a few incidents say nothing"),
        pytest.param({"noisy": 1, "incidents": 1}, Advice.VOTED_NOISY, id="votes count from the first on"),
        pytest.param({"noisy": 1, "useful": 1}, Advice.FINE, id="unless as many say the opposite"),
        pytest.param({"quickly": 6}, Advice.RAISE_FOR, id="most of it is over within minutes"),
        pytest.param({"quickly": 5}, Advice.FINE, id="half of it is not most of it"),
        pytest.param({"healed": 6}, Advice.LEAVE_TO_HEALING, id="healing settles most of it"),
        pytest.param({"in_vain": 6}, Advice.NOBODY_ACTS, id="most of what people are told is told in vain"),
        pytest.param({"told": 0, "in_vain": 0}, Advice.FINE, id="what tells nobody disturbs nobody"),
    ],
)
def test_advice(changes: dict[str, int], advice: Advice) -> None:
    found = judged(replace(FINE, **changes))
    assert found.advice is advice
    assert found.text


def test_shares() -> None:
    found = judged(FINE)
    assert (found.ack_share, found.self_resolve_share, found.healed_share, found.quick_share) == (0.8, 0.1, 0.1, 0.0)
    assert found.median_ack_seconds == 90.0
    assert judged(replace(FINE, incidents=0)).ack_share == 0.0


def test_every_advice_has_a_sentence() -> None:
    from alert_service.explaining.quality import _TEXTS

    assert set(_TEXTS) == set(Advice)
