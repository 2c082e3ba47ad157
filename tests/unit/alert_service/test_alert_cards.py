"""What the card of an incident says and offers in each state, and what its buttons bring back."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.support.clock import NOON

from alert_service.cards import build, samples
from alert_service.cards.card import Card, Tone
from alert_service.cards.dialect import Dialect
from alert_service.cards.dialects import PLAIN, SLACK, TEAMS
from alert_service.cards.previews import Stand, previews
from alert_service.cards.templates import NAMES, Templates
from alert_service.channels.adaptive import adaptive_card, message_of
from alert_service.channels.blocks import block_kit
from alert_service.channels.channel import Buttons
from alert_service.incidents.acts import ActKind
from alert_service.incidents.alert import AlertSeverity, AlertStatus
from alert_service.incidents.incident import Incident, Suppression, SuppressionReason
from alert_service.incidents.values import ButtonValue
from alert_service.policy.settings import AlertPolicy
from devchat.slack import blocks as slack_blocks
from devchat.slack import mrkdwn
from devchat.teams import cards as teams_cards

SHIPPED = Templates()
SAMPLES = samples.incidents(NOON)
QUICKLY = settings(deadline=None, max_examples=50)  # machines that run tests may be slow
TITLE = "KubePodCrashLooping: shop/checkout"


def a_card(incident: Incident | str = "firing", dialect: Dialect = PLAIN, **how: Any) -> Card:
    incident = SAMPLES[incident] if isinstance(incident, str) else incident
    made = {"buttons": Buttons.NATIVE, "link": None, "now": NOON, "templates": SHIPPED, **how}
    return build.incident_card(incident, made.pop("policy", samples.POLICY), dialect, **made)


def firing(**changes: Any) -> Incident:
    return replace(SAMPLES["firing"], **changes)


def labels_of(card: Card) -> list[str]:
    return [each.label for each in card.buttons]


def facts_of(card: Card) -> dict[str, str]:
    return {each.label: each.value for each in card.facts}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        pytest.param(
            "firing",
            ["Critical, firing since 2026-03-01 11:48 UTC", "Escalates 2026-03-01 12:05 UTC to Ana"],
            id="one that fires says since when, and who is told next",
        ),
        pytest.param(
            "acknowledged",
            ["Critical, acknowledged by Ana, until 2026-03-01 15:55 UTC", "New since then: 1 alert"],
            id="an acknowledged one says by whom, until when, and what joined since",
        ),
        pytest.param(
            "approval",
            [
                "Critical, firing since 2026-03-01 11:48 UTC",
                "Healing waits for approval until 2026-03-01 12:15 UTC: wants to roll back to 1.41",
            ],
            id="healing that waits says until when",
        ),
        pytest.param(
            "healing",
            [
                "Critical, firing since 2026-03-01 11:48 UTC",
                "Healing is at work: rolls back to 1.41, try 1 of 3",
                "Escalation waits for healing until 2026-03-01 12:04 UTC at the latest",
            ],
            id="healing at work says how long it holds escalation back at most",
        ),
        pytest.param(
            "escalated",
            ["Critical, firing since 2026-03-01 11:48 UTC", "Escalates 2026-03-01 12:05 UTC to Ben"],
            id="an escalated one says who is next",
        ),
        pytest.param(
            "resolved",
            [
                "Resolved 2026-03-01 12:00 UTC, after 12 min",
                "Healing: rolled back to 1.41, healthy for 41 s, nobody was paged",
            ],
            id="a resolved one says after how long, and what healing did",
        ),
        pytest.param(
            "suppressed",
            [
                "Critical, firing since 2026-03-01 11:48 UTC",
                "Held back: maintenance sunday-night, until 2026-03-01 12:45 UTC at the latest",
            ],
            id="a suppressed one says why nobody is told",
        ),
        pytest.param(
            "many", ["Warning, firing since 2026-03-01 11:48 UTC: 60 alerts"], id="one of many says how many fire"
        ),
    ],
)
def test_where_it_stands(state: str, status: list[str]) -> None:
    assert a_card(state).status.split("\n") == status


def test_a_silence_is_told_once() -> None:
    held = Suppression(reason=SuppressionReason.SILENCED, detail="silenced by Ana", since=NOON)
    lines = a_card(firing(silences=("s1",), suppression=held)).status.split("\n")
    assert [each for each in lines if "ilenced" in each] == ["Held back: silenced by Ana"]
    assert "Silenced in Alertmanager" in a_card(firing(silences=("s1",))).status


def test_some_of_many_says_how_many_fire() -> None:
    members = dict(SAMPLES["many"].members)
    first, member = next(iter(members.items()))
    members[first] = replace(member, alert=msgspec.structs.replace(member.alert, status=AlertStatus.RESOLVED))
    assert a_card(replace(SAMPLES["many"], members=members)).status.endswith(": 59 of 60 alerts")


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        pytest.param(
            "firing",
            "Acknowledge, Escalate now, Silence 1 h, Silence 4 h, Silence until resolved, Runbook, Explain",
            id="one that fires",
        ),
        pytest.param(
            "acknowledged",
            "Acknowledge, Un-acknowledge, Silence 1 h, Silence 4 h, Silence until resolved, Runbook, Explain",
            id="an acknowledged one with newcomers can be acknowledged again",
        ),
        pytest.param(
            "approval",
            "Approve healing, Deny healing, Acknowledge, Silence 1 h, Silence 4 h, Silence until resolved, "
            "Runbook, Explain",
            id="healing that waits comes first",
        ),
        pytest.param("resolved", "Worth telling, Noise, Runbook, Explain", id="a resolved one asks what it was worth"),
        pytest.param(
            "bare",
            "Acknowledge, Silence 1 h, Silence 4 h, Silence until resolved, Explain",
            id="without a runbook there is no button for it",
        ),
    ],
)
def test_what_can_be_pressed(state: str, buttons: str) -> None:
    assert ", ".join(labels_of(a_card(state))) == buttons


@pytest.mark.parametrize(
    ("incident", "gone"),
    [
        pytest.param(
            replace(SAMPLES["acknowledged"], members=SAMPLES["firing"].members),
            "Acknowledge",
            id="no second acknowledgement without newcomers",
        ),
        pytest.param(firing(silences=("s1",)), "Silence 1 h", id="no silence over a silence"),
        pytest.param(
            firing(suppression=Suppression(reason=SuppressionReason.SILENCED, detail="", since=NOON)),
            "Silence 1 h",
            id="no silence where Alertmanager has one",
        ),
        pytest.param(firing(escalation=None), "Escalate now", id="no escalation where there is none"),
        pytest.param(
            firing(annotations={"runbook_url": "javascript:alert(1)"}), "Runbook", id="no runbook but by http"
        ),
        pytest.param(
            replace(SAMPLES["approval"], healing=replace(SAMPLES["approval"].healing, approve_until=NOON)),  # type: ignore[type-var]
            "Approve healing",
            id="no approval of what expired",
        ),
        pytest.param(
            replace(SAMPLES["approval"], healing=replace(SAMPLES["approval"].healing, run_id=None)),  # type: ignore[type-var]
            "Deny healing",
            id="no denial of what has no run",
        ),
    ],
)
def test_what_cannot_be_pressed(incident: Incident, gone: str) -> None:
    assert gone not in labels_of(a_card(incident))


def test_no_silence_is_offered_that_is_longer_than_the_policy_allows() -> None:
    policy = AlertPolicy.model_validate({"silences": {"longest": "2h"}})
    assert [each for each in labels_of(a_card(policy=policy)) if "Silence" in each] == [
        "Silence 1 h",
        "Silence until resolved",
    ]


@pytest.mark.parametrize(
    ("way", "link", "acknowledge"),
    [
        pytest.param(Buttons.NATIVE, None, "", id="a press that the vendor posts needs no address"),
        pytest.param(Buttons.LINKS, lambda each: f"https://a.io/{each.act}", "https://a.io/acknowledge", id="a link"),
        pytest.param(Buttons.LINKS, None, None, id="no link without an address of this service"),
        pytest.param(Buttons.NONE, lambda each: "https://a.io", None, id="nothing where nothing comes back"),
    ],
)
def test_how_a_press_comes_back(way: Buttons, link: Any, acknowledge: str | None) -> None:
    buttons = {each.act: each for each in a_card(buttons=way, link=link).buttons}
    found = buttons.get(ActKind.ACKNOWLEDGE)
    assert (None if found is None else found.url) == acknowledge
    assert buttons[ActKind.RUNBOOK].url == "https://example.com/runbooks/KubePodCrashLooping"
    assert bool(buttons[ActKind.RUNBOOK].value) is (way is Buttons.NATIVE), "Slack tells of a press that opens a page"


def test_what_touches_others_is_asked_about_first() -> None:
    asked = {each.act for state in SAMPLES for each in a_card(state).buttons if each.confirm}
    assert asked == {ActKind.APPROVE, ActKind.DENY, ActKind.ESCALATE, ActKind.SILENCE}


def test_a_press_names_the_incident_its_revision_and_what_is_meant() -> None:
    values = {each.label: ButtonValue.parse(each.value) for each in a_card("approval").buttons if each.value}
    incident = SAMPLES["approval"]
    plain = ButtonValue(incident_id=incident.id, revision=incident.revision)
    assert incident.healing is not None
    assert values["Acknowledge"] == values["Runbook"] == plain
    assert values["Silence 1 h"] == replace(plain, duration=timedelta(hours=1))
    assert values["Silence until resolved"] == plain
    assert values["Approve healing"] == replace(plain, run_id=incident.healing.run_id)


@QUICKLY
@given(
    st.uuids(),
    st.integers(0, 10**9 - 1),
    st.none() | st.integers(0, 10**8 - 1).map(lambda each: timedelta(seconds=each)),
    st.none() | st.uuids(),
)
def test_a_value_comes_back_as_it_was(
    incident: UUID, revision: int, duration: timedelta | None, run: UUID | None
) -> None:
    value = ButtonValue(incident_id=incident, revision=revision, duration=duration, run_id=run)
    assert ButtonValue.parse(str(value)) == value
    assert len(str(value)) <= 100


@QUICKLY
@given(st.text() | st.from_regex(r"1\.[0-9a-f]{30,33}\.\d{0,12}(\.[sr].*)?") | st.none() | st.integers())
def test_nonsense_is_no_value(text: Any) -> None:
    value = ButtonValue.parse(text)
    assert value is None or ButtonValue.parse(str(value)) == value


@pytest.mark.parametrize(
    ("incident", "tone"),
    [
        pytest.param(firing(), Tone.CRITICAL, id="critical"),
        pytest.param(firing(severity=AlertSeverity.WARNING), Tone.WARNING, id="a warning"),
        pytest.param(firing(severity=AlertSeverity.INFO), Tone.INFO, id="information"),
        pytest.param(firing(severity=AlertSeverity.NONE), Tone.INFO, id="none"),
        pytest.param(SAMPLES["acknowledged"], Tone.ACKNOWLEDGED, id="somebody has it"),
        pytest.param(SAMPLES["suppressed"], Tone.MUTED, id="nobody is told"),
        pytest.param(firing(silences=("s1",)), Tone.MUTED, id="silenced"),
        pytest.param(SAMPLES["resolved"], Tone.GOOD, id="over"),
    ],
)
def test_the_colour_says(incident: Incident, tone: Tone) -> None:
    assert a_card(incident).tone is tone


@pytest.mark.parametrize(
    ("incident", "fallback"),
    [
        pytest.param(firing(), f"[critical] {TITLE}. Pod is crash looping", id="how bad, what, where"),
        pytest.param(SAMPLES["acknowledged"], f"[acknowledged] {TITLE}. Pod is crash looping", id="acknowledged"),
        pytest.param(SAMPLES["resolved"], f"[resolved] {TITLE}. Pod is crash looping", id="resolved"),
        pytest.param(firing(annotations={"summary": "a\nb"}), f"[critical] {TITLE}. a b", id="one line"),
        pytest.param(firing(annotations={"summary": "b" * 999}), f"[critical] {TITLE}. {'b' * 252}…", id="a short one"),
    ],
)
def test_the_line_of_a_notification(incident: Incident, fallback: str) -> None:
    assert a_card(incident, SLACK).fallback == fallback


def test_of_many_alerts_the_worst_are_shown_and_the_rest_is_counted() -> None:
    card = a_card("many")
    assert len(card.lines) == 32
    assert card.lines[-2:] == ("and 30 more", "Alertmanager left out 37 more alerts of this group")


def test_alerts_that_joined_since_the_acknowledgement_are_marked() -> None:
    assert sum(line.startswith("● *new* ") for line in a_card("acknowledged", SLACK).lines) == 1


def test_a_line_shows_what_tells_its_alert_from_the_others() -> None:
    assert set(a_card("acknowledged").lines) == {
        "● pod=checkout-7d4b9c-00000 restarted 6 times within 10 min",
        "● new pod=checkout-7d4b9c-00001 restarted 6 times within 10 min",
    }


def test_it_says_what_it_belongs_to_and_what_belongs_to_it() -> None:
    card = a_card("firing", parent="KubeNodeNotReady: worker-7", children=[f"child-{each}" for each in range(12)])
    assert "Belongs to KubeNodeNotReady: worker-7" in card.status
    assert "child-0, child-1" in card.body
    assert card.body.endswith("child-9 and 2 more")


@pytest.mark.parametrize(
    ("dialect", "mentions"),
    [
        pytest.param(SLACK, ("U061F7AUR", "U023BECGF"), id="slack ids"),
        pytest.param(TEAMS, ("ben@example.com", "ana@example.com"), id="teams names"),
        pytest.param(PLAIN, ("ben@example.com", "ana@example.com"), id="identities elsewhere"),
    ],
)
def test_people_are_mentioned_as_the_vendor_knows_them(dialect: Dialect, mentions: tuple[str, ...]) -> None:
    card = build.plain_card(
        "look", samples.POLICY, dialect, templates=SHIPPED, mentions=["ben", "ana", "ben", "nobody"]
    )
    assert card.mentions == mentions


def test_a_bare_incident_makes_a_card_all_the_same() -> None:
    card = a_card("bare")
    assert (card.title, card.error, card.facts, card.lines) == ("An alert without a name", "", (), ())


def test_an_object_that_is_known_is_shown_and_labels_beside_it() -> None:
    assert facts_of(a_card()) == {
        "Object": "Deployment shop/checkout",
        "Cluster": "prod-eu",
        "Labels": "team=checkout",
    }


def test_links_lead_to_where_it_came_from() -> None:
    card = a_card("firing", SLACK)
    assert card.footer.startswith("<https://alertmanager.example.com|Alertmanager> · <https://prometheus.example.com/")


@pytest.mark.parametrize(
    ("dialect", "harmful"),
    [
        pytest.param(SLACK, ("<!", "<@", "<#", "<https://evil"), id="slack"),
        pytest.param(TEAMS, ("<at>", "](https://evil", "{{DATE(1"), id="teams"),
    ],
)
def test_foreign_text_does_nothing_wherever_it_stands(dialect: Dialect, harmful: tuple[str, ...]) -> None:
    text = "<!channel> <@U1> <at>all</at>\n[x](https://evil.io) <https://evil.io|x> {{DATE(1)}}"
    texts = dict.fromkeys(("alertname", "cluster", "namespace", "team", "summary", "description", "pod"), text)
    many = SAMPLES["acknowledged"]
    members = {
        name: replace(each, alert=structs.replace(each.alert, labels=texts, annotations=texts))
        for name, each in many.members.items()
    }
    card = a_card(replace(many, labels={}, annotations=texts, members=members, subject=None), dialect, parent=text)
    facts = [f"{each.label} {each.value}" for each in card.facts]
    written = "\n".join([card.status, card.body, *card.lines, card.footer, *facts])
    assert card.error == ""
    assert len(card.lines) == 2
    assert written.count("evil.io") >= 4
    assert [each for each in harmful if each in written.replace("<!date^", "")] == []


LABELS = st.dictionaries(
    st.sampled_from(["alertname", "namespace", "pod", "odd", "summary", "description", "runbook_url"]),
    st.text(alphabet="ab <>&*_`|{}%\n\x01\x06\u2028\ud800") | st.text(),
)


@QUICKLY
@given(st.sampled_from(sorted(SAMPLES)), LABELS, LABELS, LABELS)
def test_whatever_alerts_say_there_is_a_card_and_no_markup_but_its_own(
    state: str, labels: dict[str, str], own: dict[str, str], annotations: dict[str, str]
) -> None:
    members = {
        name: replace(each, alert=structs.replace(each.alert, labels=labels | own, annotations=annotations))
        for name, each in list(SAMPLES[state].members.items())[:3]
    }
    incident = replace(SAMPLES[state], labels=labels, annotations=annotations, members=members, external_url="")
    card = a_card(incident, SLACK)
    assert card.error == ""
    assert not re.search("[\x00-\x1f]", card.title + card.fallback)
    assert "\n" not in card.title + card.fallback + "".join(card.lines)
    written = "\n".join([card.status, card.body, *card.lines, card.footer, *(each.value for each in card.facts)])
    assert not re.search(r"<(?!!date\^\d+\^|https://prometheus\.example\.com/)", written)
    written.encode()


@pytest.mark.parametrize(
    ("state", "title", "tone"),
    [
        pytest.param("rages", "Storm: 143 incidents in 4 min", Tone.CRITICAL, id="a storm that rages"),
        pytest.param("over", "Storm is over: 143 incidents in 13 min", Tone.GOOD, id="a storm that is over"),
    ],
)
def test_a_storm_is_one_card(state: str, title: str, tone: Tone) -> None:
    card = build.storm_card(samples.storms(NOON)[state], PLAIN, now=NOON, templates=SHIPPED)
    assert (card.title, card.tone) == (title, tone)
    assert facts_of(card) == {
        "Incidents": "143 with 912 alerts",
        "Cards of their own": "5 critical",
        "Namespaces": "shop (81), payments (40), search (22)",
        "Nodes": "worker-7 (64), worker-9 (31)",
        "Alerts": "KubePodNotReady (97), TargetDown (46)",
    }


def test_a_message_of_its_own_says_what_it_is_about() -> None:
    card = build.plain_card("Ana <x> has it\nsince noon", samples.POLICY, SLACK, templates=SHIPPED, about=TITLE)
    assert (card.title, card.body) == (TITLE, "Ana &lt;x&gt; has it\nsince noon")
    assert card.fallback == f"{TITLE}: Ana <x> has it since noon"


def test_a_message_of_any_length_is_cut() -> None:
    card = build.plain_card("a" * 50_000, samples.POLICY, PLAIN, templates=SHIPPED)
    assert len(card.body) == 12_000
    assert card.body.endswith("…")


@pytest.mark.parametrize("name", NAMES)
def test_the_vendors_take_every_card(name: str) -> None:
    for state, card in previews(name, Stand(SHIPPED, SLACK, NOON)).items():
        blocks = block_kit(card)
        assert slack_blocks.mistakes(blocks) == [], state
        assert [each for text in slack_blocks.texts(blocks, "mrkdwn") for each in mrkdwn.unescaped(text)] == [], state
    for state, card in previews(name, Stand(SHIPPED, TEAMS, NOON)).items():
        message = json.loads(message_of(card))
        assert teams_cards.mistakes(message) == [], state


def test_a_message_without_a_title_says_its_text_once() -> None:
    card = build.plain_card("nothing is wrong", samples.POLICY, TEAMS, templates=SHIPPED)
    assert [each["text"] for each in adaptive_card(card)["body"]] == ["nothing is wrong"]
