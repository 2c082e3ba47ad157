"""Cards within the limits of each vendor, the pace, and when what failed is tried again."""

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON

from alert_service.cards.card import Button, Card, Fact, Tone
from alert_service.cards.dialects.slack import SLACK
from alert_service.cards.dialects.teams import TEAMS
from alert_service.channels.adaptive import MOST_BYTES, adaptive_card, message_of
from alert_service.channels.blocks import SIGNS, block_kit, notification
from alert_service.channels.channel import DeliveryError, DeliveryReason, Window
from alert_service.channels.fitting import fitted, shortened
from alert_service.channels.making import CHANNEL_KINDS, make_channels
from alert_service.channels.posting import retry_after
from alert_service.delivery.limiter import Limiter
from alert_service.delivery.retries import BROKEN, GIVE_UP_AFTER, Trouble, next_attempt_at
from alert_service.incidents.acts import ActKind
from alert_service.policy.routing import ChannelKind
from alert_service.policy.settings import AlertPolicy
from alert_service.settings import AlertSettings
from devchat.slack.blocks import mistakes as slack_mistakes
from devchat.slack.blocks import too_long
from devchat.slack.mrkdwn import unescaped
from devchat.teams.cards import counted_bytes
from devchat.teams.cards import mistakes as teams_mistakes

texts = st.text(st.sampled_from("ab c\n*_`&<>[]()\\|é漢😀"), max_size=4000)


def a_card(**fields: Any) -> Card:
    values: dict[str, Any] = {"title": "KubePodCrashLooping: shop/checkout", "tone": Tone.CRITICAL, "fallback": "short"}
    return Card(**{**values, **fields})


def a_button(act: ActKind = ActKind.ACKNOWLEDGE, label: str = "Acknowledge", **fields: Any) -> Button:
    return Button(act=act, label=label, value="1.ab.2", **fields)


def some_cards(escape: Any) -> st.SearchStrategy[Card]:
    marked = texts.map(escape)
    facts = st.lists(st.builds(Fact, label=st.just("label"), value=marked), max_size=40)
    return st.builds(
        a_card,
        title=texts,
        fallback=texts,
        status=marked,
        body=marked.map(lambda text: text * 4),
        facts=facts,
        lines=st.lists(marked, max_size=300),
        footer=marked,
        buttons=st.lists(st.builds(a_button, url=st.just("https://example.com/x")), max_size=12),
        mentions=st.just(("U0ANA", "U0BEN")),
    )


@settings(deadline=None, max_examples=40)
@given(some_cards(SLACK.escape))
def test_slack_finds_no_fault_with_any_card(card: Card) -> None:
    for as_links in (False, True):
        blocks = block_kit(card, buttons_as_links=as_links)
        assert slack_mistakes(blocks) == []
        assert not too_long(blocks)


@settings(deadline=None, max_examples=40)
@given(some_cards(TEAMS.escape))
def test_teams_finds_no_fault_with_any_card(card: Card) -> None:
    body = message_of(card)
    message = json.loads(body)
    assert teams_mistakes(message) == []
    assert len(body) <= MOST_BYTES
    assert counted_bytes(body, message) <= 28_672


@settings(deadline=None, max_examples=40)
@given(texts.map(SLACK.escape), st.integers(200, 3000))
def test_nothing_is_cut_through_an_escape(text: str, longest: int) -> None:
    cut = shortened(text, longest)
    assert len(cut) <= longest
    assert unescaped(cut) == []


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        pytest.param("short", 10, "short", id="what is short enough stays as it is"),
        pytest.param("one two three four five", 20, "one two three…", id="it is cut between words"),
        pytest.param("see <https://example.com/a|the page> now", 28, "see…", id="no half link of Slack is left"),
        pytest.param("see [the page](https://example.com/a b)", 38, "see…", id="no half link of Teams is left"),
        pytest.param("aaaaaaaaaaaaaaaaaaa&amp;bbbbbbbb", 26, "aaaaaaaaaaaaaaaaaaa…", id="no half entity is left"),
        pytest.param("run `kubectl get pods -n shop` now", 26, "run `kubectl get…`", id="code is closed"),
    ],
)
def test_texts_are_shortened(text: str, longest: int, expected: str) -> None:
    assert shortened(text, longest) == expected


def test_what_weighs_least_goes_first_and_the_card_says_what_is_missing() -> None:
    card = a_card(body="b" * 500, facts=[Fact(label="f", value="v" * 50)] * 9, lines=["l" * 50] * 30)

    def size(each: Card) -> int:
        return len(each.body) + sum(len(fact.value) for fact in each.facts) + sum(map(len, each.lines))

    few_lines = fitted(card, lambda each: size(each) <= 1500)
    assert few_lines.lines[-1] == "and 22 more that this message has no room for"
    assert (few_lines.facts, few_lines.body) == (card.facts, card.body)
    few_facts = fitted(card, lambda each: size(each) <= 800)
    assert few_facts.footer == "5 of 9 facts left out for want of room"
    assert few_facts.body == card.body
    short = fitted(card, lambda each: size(each) <= 400)
    assert short.body.endswith("…")
    assert fitted(card, lambda each: False).title == card.title


def test_actions_of_the_same_kind_have_names_of_their_own() -> None:
    silences = [a_button(ActKind.SILENCE, f"Silence {hours} h") for hours in (1, 4)]
    [actions] = [each for each in block_kit(a_card(buttons=silences)) if each["type"] == "actions"]
    assert [each["action_id"] for each in actions["elements"]] == ["silence", "silence:2"]


def test_an_incoming_webhook_has_links_where_an_app_has_buttons() -> None:
    blocks = block_kit(a_card(buttons=[a_button(url="https://example.com/x")]), buttons_as_links=True)
    assert blocks[-1]["text"]["text"] == "<https://example.com/x|Acknowledge>"


@pytest.mark.parametrize("tone", list(Tone))
def test_every_tone_has_a_sign_of_its_own_and_a_style(tone: Tone) -> None:
    card = a_card(tone=tone)
    assert notification(card) == f"{SIGNS[tone]} short"
    assert adaptive_card(card)["body"][0]["style"]


def test_labels_in_a_title_become_no_markup_in_teams() -> None:
    title = adaptive_card(a_card(title="[click](https://evil.example) *now*"))["body"][0]["items"][0]["text"]
    assert re.search(r"(?<!\\)[\[\]*]", title) is None


SECRET = "whsec_ZGV2Y2hhdC1ob29rLXNlY3JldC0wMTIzNDU2Nzg5"
ADDRESS = "https://prod-1.westeurope.logic.azure.com/workflows/x?sig=y"


def made_of(part: dict[str, Any], **settings: Any) -> list[str]:
    policy = AlertPolicy.model_validate({"channels": {"one": part}})
    made = make_channels(policy, AlertSettings.model_validate(settings), http=httpx.AsyncClient(), now=lambda: NOON)
    assert bool(made.channels) != bool(made.mistakes)
    return [str(each) for each in made.mistakes]


@pytest.mark.parametrize(
    ("part", "settings", "expected"),
    [
        pytest.param({"kind": "slack", "conversation": "#sre"}, {}, "needs ALERT_SERVICE_SLACK__TOKEN", id="no token"),
        pytest.param(
            {"kind": "teams", "secret": "ops"}, {}, "ALERT_SERVICE_CHANNELS__URLS has no address ops", id="no address"
        ),
        pytest.param(
            {"kind": "teams", "secret": "ops"},
            {"channels": {"urls": {"ops": "https://acme.webhook.office.com/webhookb2/x"}}},
            "Office 365 connector, which Microsoft has turned off",
            id="an address that Microsoft has turned off",
        ),
        pytest.param(
            {"kind": "slack-webhook", "secret": "ops"},
            {"channels": {"urls": {"ops": "hooks.slack.com/x"}}},
            "does not begin with https://",
            id="an address without a scheme",
        ),
        pytest.param(
            {"kind": "webhook", "secret": "ops"},
            {"channels": {"urls": {"ops": ADDRESS}}},
            "ALERT_SERVICE_CHANNELS__SIGNING_SECRETS has no secret ops",
            id="a webhook without a secret to sign with",
        ),
        pytest.param(
            {"kind": "webhook", "secret": "ops"},
            {"channels": {"urls": {"ops": ADDRESS}, "signing_secrets": {"ops": "whsec_short"}}},
            "the secret ops in ALERT_SERVICE_CHANNELS__SIGNING_SECRETS",
            id="a secret that cannot sign",
        ),
    ],
)
def test_what_a_channel_lacks_is_said(part: dict[str, Any], settings: dict[str, Any], expected: str) -> None:
    [mistake] = made_of(part, **settings)
    assert expected in mistake
    assert "sig=" not in mistake


def test_every_kind_of_channel_can_be_made() -> None:
    policy = AlertPolicy.model_validate(
        {"channels": {kind: {"kind": kind, "conversation": "#sre", "secret": "ops"} for kind in ChannelKind}}
    )
    settings = AlertSettings.model_validate(
        {
            "slack": {"token": "xoxb-1"},
            "channels": {"urls": {"ops": ADDRESS}, "signing_secrets": {"ops": f"{SECRET}, {SECRET}"}},
        }
    )
    made = make_channels(policy, settings, http=httpx.AsyncClient(), now=lambda: NOON)
    assert {name: each.kind for name, each in made.channels.items()} == {kind: kind for kind in CHANNEL_KINDS}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("30", 30, id="seconds"),
        pytest.param("0.5", 0.5, id="part of a second"),
        pytest.param("Sun, 01 Mar 2026 12:01:00 GMT", 60, id="a date"),
        pytest.param("Sun, 01 Mar 2026 11:00:00 GMT", 0, id="a date that is over"),
        pytest.param("999999", 3600, id="an hour at most"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("-5", None, id="a time that is over"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_how_long_a_vendor_asks_to_wait(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOON) == (None if seconds is None else timedelta(seconds=seconds))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 3), max_size=60))
def test_no_window_ever_holds_more_than_it_may(pauses: list[float]) -> None:
    windows = (Window.of(4, seconds=1), Window.of(10, seconds=5))
    limiter, now = Limiter(windows), 0.0
    sent: list[float] = []
    for pause in pauses:
        now += pause
        now += limiter.wait_seconds(now)
        limiter.take(now)
        sent.append(now)
    for window in windows:
        for at in sent:
            inside = [each for each in sent if at - window.per.total_seconds() + 1e-6 < each <= at]
            assert len(inside) <= window.messages


def test_without_windows_nothing_waits() -> None:
    limiter = Limiter(())
    limiter.take(0.0)
    assert limiter.wait_seconds(0.0) == 0


def an_error(reason: DeliveryReason, *, retryable: bool, after: float | None = None) -> DeliveryError:
    wait = None if after is None else timedelta(seconds=after)
    return DeliveryError(reason, "why", retryable=retryable, retry_after=wait)


@pytest.mark.parametrize("reason", list(DeliveryReason))
def test_after_each_reason_it_is_clear_whether_to_try_again(reason: DeliveryReason) -> None:
    of_message = reason in (DeliveryReason.MESSAGE_GONE, DeliveryReason.TOO_LARGE, DeliveryReason.REFUSED)
    failure = an_error(reason, retryable=not of_message and reason not in BROKEN)
    again = next_attempt_at(failure, 1, NOON, NOON, luck=0.5)
    assert (again is None) == of_message
    assert (Trouble().after(failure, 0.0, luck=0.5).until > 0) == (not of_message)
    assert next_attempt_at(failure, 1, NOON, NOON + GIVE_UP_AFTER, luck=0.5) is None


@pytest.mark.parametrize(
    ("failure", "attempts", "seconds"),
    [
        pytest.param(an_error(DeliveryReason.UNREACHABLE, retryable=True), 1, 1, id="soon at first"),
        pytest.param(an_error(DeliveryReason.UNREACHABLE, retryable=True), 50, 60, id="once a minute in the end"),
        pytest.param(an_error(DeliveryReason.RATE_LIMITED, retryable=True, after=7), 9, 7, id="as the vendor says"),
        pytest.param(an_error(DeliveryReason.RATE_LIMITED, retryable=True, after=0), 1, 1, id="never at once"),
        pytest.param(an_error(DeliveryReason.VENDOR_ERROR, retryable=True, after=9), 1, 9, id="at least as it says"),
        pytest.param(an_error(DeliveryReason.CREDENTIALS, retryable=False), 1, 5, id="less often where a person must"),
    ],
)
def test_how_long_to_wait_for_the_next_attempt(failure: DeliveryError, attempts: int, seconds: float) -> None:
    assert next_attempt_at(failure, attempts, NOON, NOON, luck=0.5) == NOON + timedelta(seconds=seconds)
    spread = {next_attempt_at(failure, attempts, NOON, NOON, luck=luck) for luck in (0.0, 1.0)}
    assert len(spread) == (1 if failure.reason is DeliveryReason.RATE_LIMITED or failure.retry_after else 2)


def test_a_channel_in_trouble_says_whether_waiting_helps() -> None:
    away = Trouble().after(an_error(DeliveryReason.UNREACHABLE, retryable=True), 10.0, luck=0.5)
    revoked = away.after(an_error(DeliveryReason.CREDENTIALS, retryable=False), 20.0, luck=0.5)
    assert (away.broken, away.until, revoked.broken, revoked.failures) == (False, 11.0, True, 2)
