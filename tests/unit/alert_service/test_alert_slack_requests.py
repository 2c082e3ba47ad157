"""What Slack sends: believed only when it signed this very body a moment ago, and read whatever it holds."""

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_service.clicks.slack_requests import (
    Click,
    PayloadMalformed,
    SlackReason,
    SlackRefused,
    challenge_of,
    click_of,
    verify,
)
from alert_service.incidents.acts import ActKind

# From Slack's own documentation: https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SIGNED_AT = 1531420618
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
NOW = datetime.fromtimestamp(SIGNED_AT, UTC)


def headers(timestamp: str = str(SIGNED_AT), signature: str = SIGNATURE) -> dict[str, str]:
    given = {"x-slack-request-timestamp": timestamp, "x-slack-signature": signature}
    return {name: value for name, value in given.items() if value}


def signed(body: bytes, secret: str, timestamp: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return headers(timestamp, f"v0={digest}")


def a_press(**fields: Any) -> bytes:
    """A form as Slack posts it."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U0ANA", "username": "ana", "name": "ana", "team_id": "T0"},
        "token": "deprecated",
        "container": {"type": "message", "message_ts": "1700000000.000100", "channel_id": "C0SRE"},
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
        "actions": [{"type": "button", "action_id": "silence:2", "block_id": "b", "value": "1.ab.3", "action_ts": "1"}],
        **fields,
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


@pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=5), timedelta(minutes=-5)], ids=str)
def test_what_slack_signed_within_five_minutes_is_believed(late: timedelta) -> None:
    assert verify(headers(), BODY, [SECRET], NOW + late)


def test_both_secrets_are_believed_while_one_is_replaced() -> None:
    assert verify(headers(), BODY, ["the new one", SECRET], NOW)


def test_a_replay_has_the_id_of_the_first_and_nothing_else_has() -> None:
    again = signed(BODY, SECRET, str(SIGNED_AT + 1))

    first = verify(headers(), BODY, [SECRET], NOW)

    assert verify(headers(), BODY, [SECRET], NOW + timedelta(minutes=1)) == first
    assert verify(again, BODY, [SECRET], NOW) != first


@pytest.mark.parametrize(
    ("reason", "given", "body", "secrets", "late"),
    [
        pytest.param("not_set_up", headers(), BODY, [], 0, id="no secret is set"),
        pytest.param("header_missing", headers(signature=""), BODY, [SECRET], 0, id="it is not signed"),
        pytest.param("header_missing", headers(timestamp=""), BODY, [SECRET], 0, id="it does not say when"),
        pytest.param("timestamp_malformed", headers("soon"), BODY, [SECRET], 0, id="its time is a word"),
        pytest.param("timestamp_malformed", headers("1_531_420_618"), BODY, [SECRET], 0, id="its time is Python's"),
        pytest.param("timestamp_malformed", headers("٣" * 10), BODY, [SECRET], 0, id="its time has other digits"),
        pytest.param("timestamp_malformed", headers("9" * 400), BODY, [SECRET], 0, id="its time is beyond all years"),
        pytest.param("too_old", headers(), BODY, [SECRET], 301, id="it was signed too long ago"),
        pytest.param("too_new", headers(), BODY, [SECRET], -301, id="it was signed in the future"),
        pytest.param("no_signature_matches", headers(), BODY + b" ", [SECRET], 0, id="its body was changed"),
        pytest.param("no_signature_matches", headers(str(SIGNED_AT + 1)), BODY, [SECRET], 0, id="its time was changed"),
        pytest.param("no_signature_matches", headers(), BODY, ["other"], 0, id="it was signed by another secret"),
        pytest.param(
            "no_signature_matches", headers(signature=SIGNATURE[3:]), BODY, [SECRET], 0, id="it lacks the version"
        ),
        pytest.param(
            "no_signature_matches", headers(signature="v0=é\ud800"), BODY, [SECRET], 0, id="its signature is no ASCII"
        ),
    ],
)
def test_what_is_not_believed_says_why(
    reason: str, given: dict[str, str], body: bytes, secrets: list[str], late: float
) -> None:
    with pytest.raises(SlackRefused) as refused:
        verify(given, body, secrets, NOW + timedelta(seconds=late))

    assert refused.value.reason == reason
    assert SECRET not in str(refused.value)


def test_every_reason_is_tried() -> None:
    tried = {each.values[0] for mark in test_what_is_not_believed_says_why.pytestmark for each in mark.args[1]}  # type: ignore[attr-defined]

    assert tried == set(SlackReason)


def test_a_press_is_read() -> None:
    click = click_of("id", a_press())

    assert click == Click(
        id="id",
        action="silence:2",
        value="1.ab.3",
        user_id="U0ANA",
        user_name="ana",
        conversation="C0SRE",
        message_id="1700000000.000100",
        response_url="https://hooks.slack.com/actions/T0/1/x",
    )
    assert click.act is ActKind.SILENCE


def test_a_choice_of_a_menu_is_read_like_a_press() -> None:
    action = {"type": "static_select", "action_id": "silence", "selected_option": {"value": "1.cd.1"}}

    click = click_of("id", a_press(actions=[action]))

    assert click is not None
    assert click.value == "1.cd.1"


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        pytest.param({"actions": [{"action_id": "launch"}]}, None, id="a verb that is none"),
        pytest.param({"actions": [{"action_id": ""}]}, None, id="no verb at all"),
        pytest.param({"actions": [{"action_id": "deny:x:y"}]}, ActKind.DENY, id="a verb with an odd number"),
    ],
)
def test_the_verb_stands_before_the_colon(fields: dict[str, Any], seen: ActKind | None) -> None:
    click = click_of("id", a_press(**fields))

    assert click is not None
    assert click.act is seen


def test_what_no_database_could_hold_is_taken_out_of_texts() -> None:
    click = click_of("id", a_press(user={"id": "U\0ANA", "name": "é" * 9000}))

    assert click is not None
    assert click.user_id == "UANA"
    assert len(click.user_name) == 4000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"ssl_check=1&token=x", id="the check of a certificate"),
        pytest.param(a_press(type="view_submission"), id="another kind of interaction"),
    ],
)
def test_what_is_no_press_asks_for_nothing(body: bytes) -> None:
    assert click_of("id", body) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="bytes that are no text"),
        pytest.param(b"payload", id="a field without a value"),
        pytest.param(b"other=1", id="another field"),
        pytest.param(b"payload=%7B", id="half of a payload"),
        pytest.param(b"payload=[]", id="a payload that is a list"),
        pytest.param(b"&".join([b"a=1"] * 50), id="far too many fields"),
        pytest.param(a_press(user=None), id="a press by nobody"),
        pytest.param(a_press(user={"name": "ana"}), id="a press by somebody without an id"),
        pytest.param(a_press(actions=[]), id="a press of nothing"),
        pytest.param(a_press(actions="x"), id="a press of a text"),
    ],
)
def test_what_slack_never_sends_is_malformed(body: bytes) -> None:
    with pytest.raises(PayloadMalformed):
        click_of("id", body)


@given(st.binary(max_size=200))
def test_no_body_does_more_than_be_malformed(body: bytes) -> None:
    with suppress(PayloadMalformed):
        click_of(challenge_of(body) or "id", body)


@pytest.mark.parametrize(
    ("body", "challenge"),
    [
        pytest.param(b'{"type":"url_verification","challenge":"abc","token":"x"}', "abc", id="a check of an address"),
        pytest.param(b'{"type":"event_callback"}', None, id="an event"),
        pytest.param(b"ssl_check=1", None, id="a form"),
        pytest.param(b"[1]", None, id="a list"),
    ],
)
def test_a_check_of_the_address_is_answered_with_its_challenge(body: bytes, challenge: str | None) -> None:
    assert challenge_of(body) == challenge
