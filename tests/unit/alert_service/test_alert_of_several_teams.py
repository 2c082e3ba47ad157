"""A group that holds the alerts of several teams is told to each of them."""

from tests.support.alert_incidents import NOW, POD, POLICY, Life, a_policy, an_alert, over

from alert_service.explaining.explain import explained
from alert_service.incidents.incident import SuppressionReason
from alert_service.routing.routing import RouteReason, Routes

TEAMS = a_policy(
    POLICY.replace(
        "routes:\n",
        "routes:\n  - {name: shop, match: ['namespace=\"shop\"'], channels: [team]}\n"
        "  - {name: pay, match: ['namespace=\"pay\"'], channels: [boss], escalation: up}\n",
    )
)
SHOP, PAY = an_alert(POD), an_alert({**POD, "namespace": "pay"})


def test_each_is_told_when_it_opens() -> None:
    life = Life(policy=TEAMS).post(SHOP, PAY)
    assert life.heard() == ["team card! opened", "boss card! opened"]
    assert life.it.escalation is not None


def test_one_is_told_when_its_alert_joins() -> None:
    life = Life(policy=TEAMS).post(SHOP)
    life.heard()
    assert life.post(SHOP, PAY).heard() == ["team card~ new_alerts", "boss card! new_alerts"]
    assert life.post(SHOP, PAY, an_alert({**POD, "namespace": "pay", "pod": "web-1"})).heard() == [
        "team card~ new_alerts",
        "boss card~ new_alerts",
    ]


def test_one_that_joins_a_storm_is_on_its_card() -> None:
    life = Life(policy=TEAMS).post(SHOP)
    life.heard()
    life.storming = lambda channel, incident: channel not in incident.channels
    assert life.post(SHOP, PAY).heard() == ["team card~ new_alerts"]
    assert life.it.suppression is None or life.it.suppression.reason is not SuppressionReason.STORM


def test_one_whose_alert_is_over_hears_the_end() -> None:
    life = Life(policy=TEAMS).post(SHOP, PAY).post(over(SHOP))
    life.heard()
    told = life.post(over(PAY)).heard()
    assert {"team card~ resolved", "boss card~ resolved"} <= set(told)


def test_an_explanation_shows_the_way_of_the_alert_that_is_asked_for() -> None:
    life = Life(policy=TEAMS).post(SHOP, PAY)
    found = explained(life.it, None, TEAMS, Routes(TEAMS), at=NOW, alert=PAY)
    assert [(each.route, each.reason) for each in found.routing.path] == [
        ("shop", RouteReason.LABELS),
        ("pay", RouteReason.TAKEN),
    ]
    assert found.routing.channels == ("team", "boss")
