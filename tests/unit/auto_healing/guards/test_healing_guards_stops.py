"""Guards that say stop whatever is asked: pauses, protection, windows, alerts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_facts import Case, a_dark_node, a_looping_pod, a_settings, assert_says, moves
from tests.support.rows import a_deployment, a_namespace, a_pod, a_replica_set, owned_by

from auto_healing.facts import FiringAlert, Pause
from auto_healing.guards.alerts import Alerts
from auto_healing.guards.maintenance_window import MaintenanceWindow
from auto_healing.guards.paused import Paused, stops
from auto_healing.guards.protected import Protected
from auto_healing.marks import HEAL
from auto_healing.plan import Harm, Mode

HOUR = timedelta(hours=1)


def a_pause(**overrides: Any) -> Pause:
    return Pause(**({"reason": "database migration", "by": "ann", "since": NOON - HOUR} | overrides))


ELSEWHERE = a_pod("cart-0", namespace="carts", owner=owned_by(a_replica_set("cart")))


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="nothing is paused"),
        pytest.param(Case(facts={"pauses": [a_pause()]}), "everywhere until the pause is lifted", id="all is paused"),
        pytest.param(
            Case(facts={"pauses": [a_pause(namespace="shop", until=NOON + HOUR)]}),
            "ann has paused healing in namespace shop until 2026-03-01 13:00 UTC: database migration",
            id="the namespace is paused, and until when",
        ),
        pytest.param(Case(facts={"pauses": [a_pause(namespace="carts")]}), "", id="another namespace is paused"),
        pytest.param(Case(facts={"pauses": [a_pause(until=NOON)]}), "", id="a pause that has ended stops nothing"),
        pytest.param(
            Case(
                target=a_dark_node(),
                action="drain",
                step={"displaces": (moves(ELSEWHERE),)},
                facts={"pauses": [a_pause(namespace="carts")]},
            ),
            "in namespace carts",
            id="a drain stops for the paused namespace of a pod it displaces",
        ),
    ],
)
def test_paused(case: Case, refusal: str) -> None:
    decline = Paused().check(*case.build())
    assert_says(decline, refusal)


def test_a_pause_is_looked_at_again_when_the_last_of_them_ends() -> None:
    pauses = [a_pause(until=NOON + HOUR), a_pause(namespace="shop", until=NOON + 2 * HOUR)]
    decline = Paused().check(*Case(facts={"pauses": pauses}).build())
    assert decline is not None
    assert decline.look_again_at == NOON + 2 * HOUR


def test_a_pause_breaks_off_what_displaces_pods_of_its_namespace_and_nothing_that_restores() -> None:
    drain, _ = Case(target=a_dark_node(), action="drain", step={"displaces": (moves(ELSEWHERE),)}).build()
    assert stops([drain], [a_pause(namespace="carts")], NOON)
    assert not stops([drain], [a_pause(namespace="shop")], NOON)
    assert not stops([drain], [a_pause(namespace="carts", until=NOON)], NOON)
    assert not stops([replace(drain, harm=Harm.RESTORING)], [a_pause()], NOON)


CONTROL_PLANE = a_dark_node(labels={"node-role.kubernetes.io/control-plane": ""})
ASKS = {"opt_in": True}


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="an ordinary pod"),
        pytest.param(
            Case(target=a_looping_pod(namespace="kube-system")), "Namespace kube-system is excluded", id="kube-system"
        ),
        pytest.param(
            Case(settings={"protected": {"namespaces": ["sh*"]}}), "Namespace shop is excluded", id="by a pattern"
        ),
        pytest.param(Case(target=CONTROL_PLANE), "belongs to the control plane", id="a control-plane node"),
        pytest.param(
            Case(target=CONTROL_PLANE, settings={"protected": {"control_plane": False}}),
            "",
            id="a control-plane node where the policy allows it",
        ),
        pytest.param(Case(target=a_looping_pod(mirror=True)), "is a static pod", id="a static pod"),
        pytest.param(
            Case(target=a_looping_pod(priority_class="system-node-critical")), "has priority class", id="a critical pod"
        ),
        pytest.param(Case(target=a_looping_pod(annotations={HEAL: "off"})), "Pod shop/checkout", id="off on the pod"),
        pytest.param(Case(target=a_looping_pod(labels={HEAL: "off"})), "has opted out", id="off as a label"),
        pytest.param(Case(target=a_looping_pod(annotations={HEAL: "Off"})), "has opted out", id="off, written large"),
        pytest.param(
            Case(target=a_looping_pod(annotations={HEAL: "please not"})), "has opted out", id="anything but on is off"
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), a_deployment(annotations={HEAL: "off"})]),
            "Deployment shop/checkout has opted out",
            id="off on the owner's owner",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), a_namespace(annotations={HEAL: "off"})]),
            "Namespace shop has opted out",
            id="off on the namespace",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(annotations={HEAL: "on"}), a_namespace(annotations={HEAL: "off"})]),
            "Namespace shop has opted out",
            id="off wins over on",
        ),
        pytest.param(Case(target=a_dark_node(annotations={HEAL: "off"})), "Node node-1 has opted out", id="a node"),
        pytest.param(Case(facts=ASKS), "Nobody has opted in", id="opt-in is asked for and missing"),
        pytest.param(
            Case(facts=ASKS, mode=Mode.APPROVE), "Nobody has opted in", id="with approval it is asked for too"
        ),
        pytest.param(Case(facts=ASKS, mode=Mode.OBSERVE), "", id="observing needs no opt-in"),
        pytest.param(Case(facts=ASKS | {"by_hand": True}), "", id="a person's wish needs no opt-in"),
        pytest.param(Case(facts=ASKS, target=a_looping_pod(labels={HEAL: "on"})), "", id="the pod has opted in"),
        pytest.param(
            Case(facts=ASKS, rows=[a_looping_pod(), a_namespace(labels={HEAL: "on"})]),
            "",
            id="the namespace has opted in",
        ),
        pytest.param(
            Case(facts=ASKS | {"opted_in_namespaces": ["sho*"]}), "", id="the policy has opted the namespace in"
        ),
        pytest.param(
            Case(facts=ASKS, target=a_dark_node()), "it has not k8s-health-checker/heal=on", id="a node has not"
        ),
        pytest.param(
            Case(
                rows=[a_dark_node(), a_pod("cart-0", namespace="carts", annotations={HEAL: "off"})],
                action="drain",
                step={"displaces": (moves(ELSEWHERE),)},
            ),
            "It would displace pod carts/cart-0, but Pod carts/cart-0 has opted out",
            id="a drain would displace a pod that has opted out",
        ),
        pytest.param(
            Case(
                rows=[a_dark_node(), a_pod("cart-0", annotations={"karpenter.sh/do-not-disrupt": "true"})],
                action="drain",
                step={"displaces": (moves(a_pod("cart-0")),)},
            ),
            "forbids that with karpenter.sh/do-not-disrupt=true",
            id="a drain would displace a pod that forbids disruption",
        ),
        pytest.param(
            Case(
                rows=[
                    a_dark_node(),
                    a_pod("c", ready=False, annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}),
                ],
                action="drain",
                step={"displaces": (moves(a_pod("c")),)},
            ),
            "",
            id="a pod that does not work keeps no drain",
        ),
    ],
)
def test_protected(case: Case, refusal: str) -> None:
    decline = Protected().check(*case.build())
    assert_says(decline, refusal)


# --- windows. NOON is Sunday, 2026-03-01 12:00 UTC; 13:00 in Berlin, 07:00 in New York


def a_window(effect: str = "deny", **overrides: object) -> dict[str, object]:
    return {"name": "w", "effect": effect} | overrides


def windows(*given: dict[str, object], otherwise: str = "allow") -> dict[str, dict[str, object]]:
    return {"maintenance_window": {"otherwise": otherwise, "windows": list(given)}}


@pytest.mark.parametrize(
    ("settings", "refused", "again"),
    [
        pytest.param({}, False, None, id="no windows"),
        pytest.param(windows(otherwise="deny"), True, None, id="denied at any time"),
        pytest.param(windows(a_window(days=["sun"])), True, "2026-03-02T00:00", id="denied on Sundays"),
        pytest.param(windows(a_window(days=["mon"])), False, None, id="denied on Mondays"),
        pytest.param(
            windows(a_window("allow", days=["sun"], start="12:00", end="14:00"), otherwise="deny"),
            False,
            None,
            id="allowed from this minute on",
        ),
        pytest.param(
            windows(a_window("allow", days=["sun"], start="10:00", end="12:00"), otherwise="deny"),
            True,
            "2026-03-08T10:00",
            id="a window ends with its last minute, and comes again next week",
        ),
        pytest.param(
            windows(a_window(start="08:00", end="18:00", zone="Europe/Berlin")),
            True,
            "2026-03-01T17:00",
            id="office hours of Berlin end at 17:00 UTC in winter",
        ),
        pytest.param(
            windows(a_window(start="08:00", end="18:00", zone="America/New_York")),
            False,
            None,
            id="New York is not at work yet",
        ),
        pytest.param(
            windows(a_window(days=["sat"], start="22:00", end="13:00")),
            True,
            "2026-03-01T13:00",
            id="over midnight it belongs to the day it began on",
        ),
        pytest.param(
            windows(a_window(days=["sun"], start="22:00", end="13:00")),
            False,
            None,
            id="Sunday's night has not begun yet",
        ),
        pytest.param(windows(a_window(dates=["2026-03-01"])), True, "2026-03-02T00:00", id="a single date"),
        pytest.param(windows(a_window(dates=["2026-03-02"])), False, None, id="a single date that is not today"),
        pytest.param(
            windows(a_window("allow", dates=["2026-12-24"], start="06:00", end="09:00"), otherwise="deny"),
            True,
            "2026-12-24T06:00",
            id="the next allowed time may be a date far ahead",
        ),
        pytest.param(
            windows(a_window("allow"), a_window("deny", start="11:00", end="13:00"), otherwise="deny"),
            True,
            "2026-03-01T13:00",
            id="deny wins where windows overlap",
        ),
    ],
)
def test_maintenance_window(settings: dict[str, dict[str, object]], refused: bool, again: str | None) -> None:
    decline = MaintenanceWindow().check(*Case(settings=settings).build())
    assert (decline is not None) == refused
    if decline is not None:
        assert decline.look_again_at == (datetime.fromisoformat(again).replace(tzinfo=UTC) if again else None)


def test_a_window_keeps_its_local_hours_when_the_clock_changes() -> None:
    """On 2026-03-29 Berlin's clocks go from 02:00 to 03:00."""
    step, facts = Case(settings=windows(a_window(start="08:00", end="18:00", zone="Europe/Berlin"))).build()
    refused = [
        MaintenanceWindow().check(step, replace(facts, now=datetime(2026, 3, day, hour, 30, tzinfo=UTC))) is not None
        for day, hour in ((28, 6), (28, 7), (29, 5), (29, 6), (29, 15), (29, 16))
    ]
    assert refused == [False, True, False, True, True, False]


@pytest.mark.parametrize(
    ("window", "mistake"),
    [
        pytest.param(a_window(zone="Berlin"), "must be an IANA time zone", id="a city is no zone"),
        pytest.param(a_window(start=1320), "in quotes", id="YAML reads 22:00 without quotes as 1320"),
        pytest.param(a_window(start="25:00"), "must be a time", id="no such hour"),
        pytest.param(a_window(dates=["24.12.2026"]), "must be dates", id="no ISO date"),
        pytest.param(a_window(start="08:00+01:00"), "name the time zone in zone", id="an offset instead of a zone"),
        pytest.param(a_window(days=["sunday"]), "'sun'", id="days are short"),
    ],
)
def test_a_wrong_window_is_told(window: dict[str, object], mistake: str) -> None:
    with pytest.raises(ValueError, match=mistake):
        a_settings(**windows(window))


# --- alerts


def an_alert(
    name: str = "EtcdNoLeader", *, severity: str = "critical", hours: float = 0.5, **labels: str
) -> FiringAlert:
    return FiringAlert(name=name, labels={"severity": severity} | labels, since=NOON - timedelta(hours=hours))


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="nothing fires"),
        pytest.param(Case(facts={"alerts": None}), "cannot be asked", id="Alertmanager is silent"),
        pytest.param(
            Case(facts={"alerts": None}, settings={"alerts": {"required": False}}), "", id="nobody requires its answer"
        ),
        pytest.param(
            Case(facts={"alerts": [an_alert()]}), "Firing and not about the target: 1 alert (EtcdNoLeader)", id="etcd"
        ),
        pytest.param(Case(facts={"alerts": [an_alert(severity="warning")]}), "", id="a warning does not hold"),
        pytest.param(
            Case(facts={"alerts": [an_alert(severity="none")]}, settings={"alerts": {"severities": []}}),
            "EtcdNoLeader",
            id="of any severity where the policy says so",
        ),
        pytest.param(Case(facts={"alerts": [an_alert("Watchdog")]}), "", id="Watchdog always fires"),
        pytest.param(
            Case(facts={"alerts": [an_alert("WatchdogDown")]}), "WatchdogDown", id="only whole names are ignored"
        ),
        pytest.param(Case(facts={"alerts": [an_alert(hours=13)]}), "", id="it has fired since yesterday"),
        pytest.param(
            Case(facts={"alerts": [an_alert(namespace="shop", pod="checkout-7d4b9c-x2x9z")]}), "", id="about the pod"
        ),
        pytest.param(
            Case(facts={"alerts": [an_alert(namespace="shop", deployment="checkout")]}), "", id="about its Deployment"
        ),
        pytest.param(Case(facts={"alerts": [an_alert(node="node-1")]}), "", id="about its node"),
        pytest.param(Case(facts={"alerts": [an_alert(instance="node-1:9100")]}), "", id="about its node, by instance"),
        pytest.param(Case(facts={"alerts": [an_alert(namespace="shop")]}), "", id="about its namespace as a whole"),
        pytest.param(
            Case(facts={"alerts": [an_alert("OrdersDown", namespace="shop", deployment="orders")]}),
            "OrdersDown",
            id="about another Deployment of its namespace",
        ),
        pytest.param(
            Case(facts={"alerts": [an_alert("X", namespace="carts", pod="checkout-7d4b9c-x2x9z")]}),
            "X",
            id="about a pod of that name elsewhere",
        ),
        pytest.param(
            Case(
                rows=[a_dark_node(), a_pod("orders-0")],
                action="drain",
                facts={"alerts": [an_alert(namespace="shop", pod="orders-0")]},
            ),
            "",
            id="about a pod on the node that is the target",
        ),
    ],
)
def test_alerts(case: Case, refusal: str) -> None:
    decline = Alerts().check(*case.build())
    assert_says(decline, refusal)


def test_a_pattern_of_ignored_alerts_must_be_one() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        a_settings(alerts={"ignored": "("})
