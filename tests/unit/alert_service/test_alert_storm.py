"""When a channel gets one live card instead of many, what stays apart, and when it is over."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from tests.support.alert_incidents import NOW, POD, an_alert, opened

from alert_service.incidents.incident import Incident
from alert_service.policy.suppression import StormPart
from alert_service.routing.storm import Openings, Storm, is_over, told_after
from alert_service.routing.suppression import in_storm
from alert_service.routing.wanted import DeliveryKind
from alert_service.routing.weather import Weather

MINUTE = timedelta(minutes=1)
PART = StormPart()  # 20 within a minute; over when fewer than a tenth came for five


class Channel:
    """One channel through several transactions, each of which asks about new incidents."""

    def __init__(self, part: StormPart = PART) -> None:
        self.part, self.now = part, NOW
        self.openings = Openings()
        self.raging: dict[str, Storm] = {}
        self.told: list[tuple[DeliveryKind, str]] = []

    def open(self, count: int, severity: str = "warning", **fields: object) -> list[bool]:
        """Whether each is hidden."""
        weather = self.weather()
        hidden = [
            weather.hides("sre", opened(an_alert(severity=severity), now=self.now, **fields)) for _ in range(count)
        ]
        self.store(weather)
        return hidden

    def weather(self) -> Weather:
        return Weather(self.raging, self.openings, self.part, self.now)

    def store(self, weather: Weather) -> None:
        self.told += [(each.kind, each.text) for each in weather.wanted()]
        self.raging = {**self.raging, **{each.channel: each for each in weather.storms if each.ended_at is None}}

    def calms(self) -> bool:
        weather = self.weather()
        ended = weather.calm()
        self.store(weather)
        for storm in ended:
            del self.raging[storm.channel]
        return bool(ended)

    def after(self, **duration: float) -> "Channel":
        self.now += timedelta(**duration)
        return self


def test_a_few_incidents_have_cards_and_the_twentieth_begins_a_storm() -> None:
    channel = Channel()
    assert channel.open(19) == [False] * 19
    assert channel.open(1) == [True]
    assert channel.raging["sre"].incidents == 1
    assert [kind for kind, _ in channel.told] == ["storm", "reply"]


def test_the_same_many_over_a_longer_time_are_none() -> None:
    channel = Channel()
    for _ in range(10):
        assert channel.open(5) == [False] * 5
        channel.after(seconds=30)


def test_one_card_and_one_reply_tell_of_all_that_opened_at_once() -> None:
    channel = Channel()
    channel.open(500)
    (card, _), (reply, text) = channel.told
    assert (card, reply) == (DeliveryKind.STORM, DeliveryKind.REPLY)
    assert text.count("KubePodCrashLooping: shop/web-0") == 30
    assert text.endswith("and 451 more")


def test_ten_thousand_are_counted_by_a_few_places_alone() -> None:
    weather = Weather({}, Openings(), PART, NOW)
    for number in range(10_000):
        weather.hides("sre", opened(an_alert({**POD, "namespace": f"n{number}"})))
    (storm,) = weather.storms
    assert storm.incidents == 10_000 - 19
    assert len(storm.counts["namespace"]) <= 51
    assert sum(storm.counts["namespace"].values()) == storm.incidents


def test_the_first_critical_ones_keep_their_own_cards() -> None:
    channel = Channel()
    channel.open(20)
    assert channel.open(7, "critical") == [False] * 5 + [True] * 2
    assert channel.raging["sre"].apart == 5


def test_one_that_becomes_critical_leaves_it() -> None:
    channel = Channel()
    channel.open(20)
    before = channel.raging["sre"].incidents
    assert channel.open(1, "critical", suppression=in_storm(NOW)) == [False]
    assert (channel.raging["sre"].incidents, channel.raging["sre"].apart) == (before, 1)


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        pytest.param({"channels": ("sre",)}, False, id="what has a card there is told there"),
        pytest.param({"channels": ("boss",)}, True, id="what has a card elsewhere is hidden, and counted no more"),
        pytest.param({"suppression": in_storm(NOW)}, True, id="what stands on its card already is counted once"),
    ],
)
def test_in_a_storm(fields: Mapping[str, object], hidden: bool) -> None:
    channel = Channel()
    channel.open(20)
    before = channel.raging["sre"].incidents
    assert channel.open(1, **fields) == [hidden]
    assert channel.raging["sre"].incidents == before


def test_asking_twice_in_one_transaction_counts_once() -> None:
    weather, incident = Weather({}, Openings(), StormPart(incidents=2), NOW), opened()
    assert [weather.hides("sre", incident) for _ in range(5)] == [False] * 5


def test_each_channel_has_its_own() -> None:
    weather = Weather({}, Openings(), PART, NOW)
    for _ in range(20):
        weather.hides("sre", opened())
    assert not weather.hides("boss", opened())


class TestEnd:
    def test_comes_after_calm(self) -> None:
        channel = Channel()
        channel.open(40)
        assert not channel.after(minutes=4, seconds=59).calms()
        assert channel.after(seconds=1, minutes=1).calms()
        assert channel.told[-1][0] == DeliveryKind.STORM  # the card says that it is over

    def test_comes_though_something_opens_now_and_then(self) -> None:
        """An ordinary day goes on meanwhile: a trickle must not hide everything for ever."""
        channel = Channel()
        channel.open(40)
        for _ in range(8):
            channel.after(minutes=2).open(1)
        assert channel.after(minutes=1).calms()

    def test_does_not_come_while_a_tenth_goes_on(self) -> None:
        channel = Channel()
        channel.open(40)
        for _ in range(40):
            channel.after(seconds=25).open(1)
            assert not channel.calms()

    def test_waits_for_calm_also_where_a_replica_has_only_begun_to_lead(self) -> None:
        channel = Channel()
        channel.open(40)
        channel.after(minutes=10).open(3)
        channel.openings = Openings()
        assert not channel.after(seconds=30).calms()
        assert channel.after(seconds=30).calms()

    def test_is_never_before_it_has_lasted(self) -> None:
        storm = Storm(id=uuid4(), channel="sre", started_at=NOW, changed_at=NOW)
        assert not is_over(storm, Openings(), PART, NOW + 4 * MINUTE)

    def test_of_a_policy_without_calm_is_at_once(self) -> None:
        part = StormPart(calm_for=timedelta(), within=timedelta())
        storm = Storm(id=uuid4(), channel="sre", started_at=NOW, changed_at=NOW)
        assert is_over(storm, Openings(), part, NOW)


def an_opening(minute: int, severity: str) -> Incident:
    at: datetime = NOW + minute * MINUTE
    return opened(an_alert(severity=severity), now=at)


def test_the_worst_and_oldest_of_what_it_leaves_open_get_cards_but_not_so_many_as_a_storm() -> None:
    warning, early, late = an_opening(0, "warning"), an_opening(1, "critical"), an_opening(2, "critical")
    few, at_once = StormPart(incidents=4), timedelta()
    assert told_after([warning, late, early], few) == [(early, at_once), (late, at_once)]
    many = [replace(warning, id=uuid4()) for _ in range(100)]
    assert [wait for _, wait in told_after(many, PART)] == [at_once] * 10
    critical = [replace(early, id=uuid4()) for _ in range(25)]
    waits = [wait / MINUTE for _, wait in told_after([*many, *critical], PART)]
    assert waits == [0] * 10 + [2] * 10 + [4] * 5


def test_what_was_rolled_back_is_forgotten() -> None:
    openings = Openings()
    for _ in range(20):
        openings.add("sre", NOW)
    openings.forget(NOW)
    assert not openings.were("sre", 1, MINUTE, NOW)
