"""What becomes of one finding over time. Each row is a story: what is seen when, and what is told of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.support.clock import NOON

from common.contracts import Change, Finding, ObjectKey, Severity
from health_monitor.engine.evaluate import Sighting
from health_monitor.engine.outcome import OpenFinding
from health_monitor.engine.settings import EngineSettings
from health_monitor.engine.transitions import Draft, Track, follow, resumed, tell
from health_monitor.policy.mutes import FOREVER

KEY = ObjectKey("Pod", "shop", "checkout")
SETTINGS = EngineSettings()

FINDING = Finding(code="pod-sick", object=KEY.ref("uid"), severity=Severity.WARNING, message="It is ill", since=NOON)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_sighting(
    *, held: float = 0, due: float | None = None, muted_until: datetime | None = None, **finding: object
) -> Sighting:
    return Sighting(
        finding=replace(FINDING, **finding),
        points=20_000,
        first_seen_at=NOON,
        held_at=at(held),
        due_at=at(held if due is None else due),
        muted_until=muted_until,
    )


ILL = a_sighting()
CRITICAL = a_sighting(severity=Severity.CRITICAL)


Story = list[tuple[float, Sighting | None]]


def tells(story: Story, settings: EngineSettings = SETTINGS) -> tuple[list[str], Track | None]:
    """Play the story; returns each draft as "<seconds> <change>", and the track at its end."""
    track: Track | None = None
    told = []
    for seconds, seen in story:
        track = follow(track, seen, at(seconds), settings)
        if track is None:
            continue
        track, draft = tell(track, at(seconds), settings)
        if draft is not None:
            told.append(f"{seconds:g} {describe(draft)}")
        if track.idle:
            track = None
    return told, track


def describe(draft: Draft) -> str:
    words = [draft.change.value]
    if draft.previous_severity:
        words.append(f"from {draft.previous_severity}")
    if draft.flapping:
        words.append("flapping")
    return " ".join(words)


def toggling(times: int, every: float) -> Story:
    """Ill and well in turn, each for so long that both are believed: looked at when it comes and when it is due."""
    story: Story = []
    for turn in range(times):
        start = turn * every
        story += [(start, ILL)] if turn % 2 == 0 else [(start, None), (start + 10, None)]
    return story


@pytest.mark.parametrize(
    ("story", "told"),
    [
        pytest.param([(0, ILL)], ["0 opened"], id="what is due is told at once"),
        pytest.param([(0, a_sighting(held=30))], [], id="what is not due yet is not told"),
        pytest.param([(0, a_sighting(held=30)), (30, a_sighting(held=30))], ["30 opened"], id="it is told when due"),
        pytest.param([(0, a_sighting(held=30)), (20, None), (40, None)], [], id="what goes before that was nothing"),
        pytest.param(
            [(0, a_sighting(held=30, due=90)), (30, a_sighting(held=30, due=90)), (90, a_sighting(held=30, due=90))],
            ["90 opened"],
            id="an outage of our view makes it wait anew",
        ),
        pytest.param(
            [(0, ILL), (5, a_sighting(due=300)), (60, a_sighting(due=300))],
            ["0 opened"],
            id="an outage of our view does not close what is open",
        ),
        pytest.param([(0, ILL), (5, None), (9, ILL), (30, ILL)], ["0 opened"], id="away for a moment is not away"),
        pytest.param([(0, ILL), (5, None), (15, None)], ["0 opened", "15 resolved"], id="away long enough is resolved"),
        pytest.param(
            [(0, ILL), (5, a_sighting(held=45)), (15, a_sighting(held=45)), (45, a_sighting(held=45))],
            ["0 opened", "15 resolved", "45 opened"],
            id="a symptom that began anew has to hold anew, and counts as away until then",
        ),
        pytest.param([(0, ILL), (5, CRITICAL)], ["0 opened", "5 changed from warning"], id="severity is told at once"),
        pytest.param(
            [(0, a_sighting(evidence={"number": 2})), (70, a_sighting(evidence={"number": 3}))],
            ["0 opened"],
            id="numbers tick and are not told",
        ),
        pytest.param(
            [(0, a_sighting(evidence={"reason": "a 1"})), (61, a_sighting(evidence={"reason": "a 2"}))],
            ["0 opened"],
            id="numbers within words are not told either",
        ),
        pytest.param(
            [
                (0, a_sighting(evidence={"reason": "a"})),
                (5, a_sighting(evidence={"reason": "b"})),
                (60, a_sighting(evidence={"reason": "b"})),
            ],
            ["0 opened", "60 changed"],
            id="other words are told once a minute",
        ),
        pytest.param(
            [
                (0, a_sighting(evidence={"reason": "a"})),
                (5, a_sighting(evidence={"reason": "b"})),
                (50, a_sighting(evidence={"reason": "a"})),
                (60, a_sighting(evidence={"reason": "a"})),
            ],
            ["0 opened"],
            id="words that came back within the minute are no news",
        ),
        pytest.param(
            [(0, a_sighting(evidence={"ok": True})), (61, a_sighting(evidence={"ok": False}))],
            ["0 opened", "61 changed"],
            id="yes and no are words",
        ),
        pytest.param([(0, a_sighting(muted_until=at(60)))], [], id="what is muted is not told"),
        pytest.param(
            [(0, a_sighting(muted_until=at(60))), (60, ILL)], ["60 opened"], id="it is told when the mute ends"
        ),
        pytest.param(
            [(0, ILL), (5, a_sighting(muted_until=at(60))), (60, ILL)],
            ["0 opened", "5 resolved", "60 opened"],
            id="to mute what is open tells that it is over",
        ),
        pytest.param(
            [(0, a_sighting(muted_until=at(60))), (5, None), (15, None), (60, None)],
            [],
            id="what comes and goes under a mute is never told",
        ),
        pytest.param(
            toggling(5, 60),
            ["0 opened", "70 resolved", "120 opened", "190 resolved", "240 opened flapping"],
            id="back for the third time in ten minutes is flapping",
        ),
        pytest.param(
            [*toggling(5, 60), (300, None), (310, None), (360, ILL), (400, None), (500, None)],
            ["0 opened", "70 resolved", "120 opened", "190 resolved", "240 opened flapping"],
            id="flapping is told once and kept open",
        ),
        pytest.param(
            [*toggling(5, 60), (300, None), (899, None), (900, None)],
            ["0 opened", "70 resolved", "120 opened", "190 resolved", "240 opened flapping", "900 resolved"],
            id="it is over after ten quiet minutes",
        ),
        pytest.param(
            [*toggling(5, 60), (839, ILL), (840, ILL), (850, None), (860, None)],
            [
                *["0 opened", "70 resolved", "120 opened", "190 resolved", "240 opened flapping"],
                *["840 changed", "860 resolved"],
            ],
            id="ill for ten minutes without a break is not flapping any more",
        ),
        pytest.param(
            toggling(6, 301),
            ["0 opened", "311 resolved", "602 opened", "913 resolved", "1204 opened", "1515 resolved"],
            id="to come and go every five minutes is not flapping",
        ),
    ],
)
def test_what_is_told(story: Story, told: list[str]) -> None:
    assert tells(story)[0] == told


def test_flapping_can_begin_with_a_resolution() -> None:
    story = [
        (0, ILL),
        (500, None),
        (510, None),
        (520, ILL),
        (530, None),
        (540, None),
        (550, ILL),
        (605, None),
        (615, None),
    ]
    told, track = tells(story, EngineSettings(flap_changes=5, flap_window=timedelta(seconds=200)))
    assert told == ["0 opened", "510 resolved", "520 opened", "540 resolved", "550 opened", "615 changed flapping"]
    assert track is not None
    assert track.opened_at == at(550)


def test_a_debounce_up_is_part_of_when_a_sighting_is_due_and_one_down_is_a_setting() -> None:
    assert tells([(0, ILL), (1, None)], EngineSettings(resolve_after=timedelta(0)))[0] == ["0 opened", "1 resolved"]


def test_nothing_is_remembered_of_what_did_not_flap() -> None:
    story: Story = [(0, ILL), (5, None), (15, None), (615, None)]
    assert tells(story[:-1])[1] is not None
    assert tells(story)[1] is None


@pytest.mark.parametrize(
    ("story", "look_at"),
    [
        pytest.param([(0, a_sighting(held=30))], 30, id="when it is due"),
        pytest.param([(0, ILL), (5, None)], 15, id="when its absence is believed"),
        pytest.param([(0, ILL)], None, id="never while it just lasts"),
        pytest.param([(0, a_sighting(muted_until=at(99)))], 99, id="when its mute ends"),
        pytest.param(toggling(5, 60), 840, id="when ten minutes were quiet"),
        pytest.param(
            [(0, a_sighting(evidence={"reason": "a"})), (5, a_sighting(evidence={"reason": "b"}))],
            60,
            id="when new words may be told",
        ),
        pytest.param([(0, ILL), (5, a_sighting(held=12))], 12, id="when it is back before its absence was believed"),
    ],
)
def test_when_time_alone_changes_something(story: Story, look_at: float | None) -> None:
    track = tells(story)[1]
    assert track is not None
    assert track.look_at == (None if look_at is None else at(look_at))


@pytest.mark.parametrize(
    ("until", "words"),
    [
        pytest.param(at(60), "Muted until 2026-03-01 12:01 UTC: It is ill", id="until an instant"),
        pytest.param(FOREVER, "Muted: It is ill", id="for ever"),
    ],
)
def test_a_mute_says_how_long(until: datetime, words: str) -> None:
    track = follow(follow(None, ILL, NOON, SETTINGS), ILL, NOON, SETTINGS)
    assert track is not None
    track, _ = tell(track, NOON, SETTINGS)
    muted = follow(track, a_sighting(muted_until=until), at(5), SETTINGS)
    assert muted is not None
    _, draft = tell(muted, at(5), SETTINGS)
    assert draft is not None
    assert (draft.change, draft.finding.message) == (Change.RESOLVED, words)


def test_what_the_object_says_of_its_change_goes_with_the_opening() -> None:
    seen = Sighting(
        finding=FINDING, points=1, first_seen_at=NOON, held_at=NOON, due_at=NOON, object_changed_at=at(-0.25)
    )
    track = follow(None, seen, NOON, SETTINGS)
    assert track is not None
    _, draft = tell(track, NOON, SETTINGS)
    assert draft is not None
    assert draft.object_changed_at == at(-0.25)


def test_a_resumed_finding_that_is_still_there_is_not_told_and_one_that_is_gone_resolves() -> None:
    published = OpenFinding(finding=FINDING, opened_at=at(-100), changed_at=at(-50))
    track = follow(resumed(published), ILL, NOON, SETTINGS)
    assert track is not None
    track, draft = tell(track, NOON, SETTINGS)
    assert draft is None
    assert track.as_open() == published

    gone = follow(resumed(published), None, NOON, EngineSettings(resolve_after=timedelta(0)))
    assert gone is not None
    _, draft = tell(gone, NOON, SETTINGS)
    assert draft is not None
    assert draft.change is Change.RESOLVED
    assert gone.as_open() is None


def test_a_clock_that_was_set_back_does_not_keep_a_finding_open() -> None:
    opened = follow(None, ILL, at(3600), SETTINGS)
    fading = follow(opened, None, at(3600), SETTINGS)
    assert follow(fading, None, NOON, SETTINGS).gone_at == NOON
