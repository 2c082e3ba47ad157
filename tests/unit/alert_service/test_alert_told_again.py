"""How people are told of what was held back: by a card of its own, or aloud below the card that is there."""

from datetime import timedelta

from tests.support.alert_incidents import NOW, POLICY, Life, a_policy, an_alert

WINDOW = """
maintenance: [{name: w, match: ['namespace="shop"'], starts_at: 2026-03-02T10:30:00Z, lasts: 1h}]
"""


def test_what_was_held_back_from_the_start_gets_a_card_that_says_it_all() -> None:
    life = Life(policy=a_policy(WINDOW + POLICY), now=NOW + timedelta(minutes=40)).post(an_alert())
    life.run(hours=1)
    assert "sre card! unsuppressed" in (heard := life.heard())
    assert not [each for each in heard if "reply" in each and "unsuppressed" in each]


def test_what_was_told_before_is_said_aloud_below_its_card() -> None:
    life = Life(policy=a_policy(WINDOW + POLICY), now=NOW + timedelta(minutes=25)).post(an_alert())
    assert life.heard() == ["sre card! opened"]
    life.run(minutes=70)
    assert {"sre card! unsuppressed", "sre reply! unsuppressed"} <= set(life.heard())
