"""What vendors, and whatever stands between, answer to a message: pages, words without end, half an answer."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import httpx
import pytest

from alert_service.cards.card import Card, Tone
from alert_service.channels.channel import Channel, DeliveryError, DeliveryReason, Message, Receipt
from alert_service.channels.making import make_channels
from alert_service.policy.settings import AlertPolicy
from alert_service.settings import AlertSettings

CHANNELS = {
    "slack": {"kind": "slack", "conversation": "#sre"},
    "hook": {"kind": "slack-webhook", "secret": "hook"},
    "teams": {"kind": "teams", "secret": "teams"},
    "generic": {"kind": "webhook", "secret": "generic"},
}
URLS = {name: f"https://vendor.example/{name}-secret" for name in ("hook", "teams", "generic")}
CARD = Card(title="KubePodCrashLooping", tone=Tone.CRITICAL, fallback="KubePodCrashLooping")
PAGE = {"content-type": "text/html; charset=utf-8"}


class Endless(httpx.AsyncByteStream):
    """As fast as it is read."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b"{" * 65_536


class CutOff(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"ok": tr'
        raise httpx.ReadError("cut off")


def channels(http: httpx.AsyncClient, token: str = "xoxb-1") -> Mapping[str, Channel]:
    settings = AlertSettings.model_validate(
        {
            "slack": {"token": token, "api_url": "https://vendor.example/api"},
            "channels": {"urls": URLS, "signing_secrets": {"generic": "whsec_" + "YWJj" * 10}},
        }
    )
    policy = AlertPolicy.model_validate({"channels": CHANNELS})
    made = make_channels(policy, settings, http=http, now=lambda: datetime.now(UTC))
    return made.channels


async def sent(name: str, answer: httpx.Response) -> Receipt:
    """Raises DeliveryError."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: answer)) as http:
        return await channels(http)[name].send(Message(delivery_id="d1", card=CARD))


@pytest.mark.parametrize(
    ("name", "answer", "posted"),
    [
        pytest.param("hook", httpx.Response(200, text="ok"), True, id="a webhook of Slack's says ok"),
        pytest.param("hook", httpx.Response(200, html="<p>Log in"), False, id="another's word for it proves no post"),
        pytest.param("teams", httpx.Response(202, stream=Endless()), False, id="a flow that begins and says no end"),
        pytest.param("teams", httpx.Response(200, stream=CutOff()), True, id="a flow whose answer is cut off"),
        pytest.param("generic", httpx.Response(204), True, id="a receiver without words"),
        pytest.param("generic", httpx.Response(200, stream=Endless()), True, id="a receiver that says no end"),
    ],
)
async def test_a_good_status_says_how_far_a_message_got(name: str, answer: httpx.Response, posted: bool) -> None:
    assert (await sent(name, answer)).posted is posted


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        pytest.param("slack", httpx.Response(200, html="<p>Log in"), id="a page of a proxy"),
        pytest.param("slack", httpx.Response(200, json=["ok"]), id="JSON of another shape"),
        pytest.param("slack", httpx.Response(200, stream=Endless()), id="no end"),
        pytest.param("slack", httpx.Response(200, stream=CutOff()), id="half an answer"),
        pytest.param("slack", httpx.Response(503, stream=Endless()), id="an error, no end"),
        pytest.param("teams", httpx.Response(200, headers=PAGE), id="no flow says a page"),
        pytest.param("teams", httpx.Response(502, html="<p>Bad"), id="a proxy in trouble"),
    ],
)
async def test_what_is_no_answer_of_the_vendor_is_tried_again(name: str, answer: httpx.Response) -> None:
    with pytest.raises(DeliveryError) as raised:
        await sent(name, answer)
    assert (raised.value.reason, raised.value.retryable) == (DeliveryReason.VENDOR_ERROR, True)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("token", ["xoxb-1\nxoxb-2", "xoxb 1", "xoxb-é"])
async def test_what_is_more_than_a_token_is_said_before_anything_is_sent(token: str) -> None:
    async with httpx.AsyncClient() as http:
        assert "slack" not in channels(http, token)
