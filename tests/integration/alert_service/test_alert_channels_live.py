"""Each kind of channel against a strict stand-in of its vendor, well and unwell."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.chat import a_chat, complaints

from alert_service.cards.card import Button, Card, Fact, Tone
from alert_service.channels.channel import Channel, DeliveryError, DeliveryReason, Message, MessageRef, Receipt
from alert_service.channels.making import make_channels
from alert_service.channels.posting import a_client
from alert_service.incidents.acts import ActKind
from alert_service.policy.settings import AlertPolicy
from alert_service.settings import AlertSettings
from devchat import Chat, Settings

POLICY = AlertPolicy.model_validate(
    {
        "channels": {
            "slack": {"kind": "slack", "conversation": "#sre"},
            "slack-webhook": {"kind": "slack-webhook", "secret": "slack"},
            "teams": {"kind": "teams", "secret": "teams"},
            "teams-responds": {"kind": "teams", "secret": "teams-responds"},
            "webhook": {"kind": "webhook", "secret": "hook"},
        }
    }
)
CARD = Card(
    title="KubePodCrashLooping: shop/checkout <1 & 2>",
    tone=Tone.CRITICAL,
    fallback="[critical] KubePodCrashLooping",
    status="fires for 5 min",
    facts=[Fact(label="Namespace", value="shop")],
    lines=["checkout-1", "checkout-2"],
    buttons=[Button(act=ActKind.ACKNOWLEDGE, label="Acknowledge", value="1.a.1", url="https://alerts.example/ack")],
)
NATIVE = Card(
    title="KubePodCrashLooping",
    tone=Tone.WARNING,
    fallback="KubePodCrashLooping",
    buttons=[Button(act=ActKind.ACKNOWLEDGE, label="Acknowledge", value="1.a.1", primary=True)],
)


@dataclass
class Live:
    """A chat, and channels that lead there."""

    chat: Chat
    channels: Mapping[str, Channel]

    async def failure(self, name: str, **message: Any) -> DeliveryError:
        with pytest.raises(DeliveryError) as raised:
            await self.channels[name].send(Message(**{"delivery_id": "d1", "card": CARD, **message}))
        return raised.value


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with a_chat(Settings(limits=False)) as chat, a_client() as http:
        urls = {
            "slack": chat.webhook_url("ops"),
            "teams": chat.workflow_url("ops"),
            "teams-responds": chat.workflow_url("ops", responds=True),
            "hook": chat.hook_url("ops"),
        }
        settings = AlertSettings.model_validate(
            {
                "slack": {"token": chat.settings.token, "api_url": chat.slack_api_url},
                "channels": {"urls": urls, "signing_secrets": {"hook": chat.settings.hook_secret}},
            }
        )
        made = make_channels(POLICY, settings, http=http, now=lambda: datetime.now(UTC))
        assert made.mistakes == []
        yield Live(chat, made.channels)


async def test_slack_posts_changes_in_place_and_replies_below(live: Live) -> None:
    slack = live.channels["slack"]
    posted = await slack.send(Message(delivery_id="d1", card=NATIVE))
    assert posted.posted
    assert posted.ref is not None
    await slack.send(Message(delivery_id="d2", card=CARD, update=posted.ref))
    await slack.send(Message(delivery_id="d3", card=NATIVE, thread=posted.ref, broadcast=True))
    card, reply = await live.chat.messages()
    assert (card.id, card.versions, card.metadata["event_payload"]) == (posted.ref.id, 2, {"id": "d2"})
    assert (reply.thread, reply.broadcast) == (card.id, True)
    assert card.text == "🔴 [critical] KubePodCrashLooping"


@pytest.mark.parametrize(
    ("name", "posted", "vendor"),
    [
        pytest.param("slack-webhook", True, "slack", id="an incoming webhook posts"),
        pytest.param("teams", False, "teams", id="a flow only accepts"),
        pytest.param("teams-responds", True, "teams", id="a flow with a response posts"),
        pytest.param("webhook", True, "hook", id="a generic webhook takes"),
    ],
)
async def test_what_posts_once_says_how_far_it_got(live: Live, name: str, posted: bool, vendor: str) -> None:
    receipt = await live.channels[name].send(Message(delivery_id="d1", card=CARD))
    assert (receipt.posted, receipt.ref) == (posted, None)
    [message] = await live.chat.messages()
    assert message.vendor == vendor


async def test_a_generic_webhook_is_signed_and_says_its_id_again_when_it_is_repeated(live: Live) -> None:
    for _ in range(2):
        await live.channels["webhook"].send(Message(delivery_id="d1", card=CARD, incident_id="i1", reason="opened"))
    [message] = await live.chat.messages()
    assert (message.id, message.versions) == ("d1", 2)
    assert (message.body["data"]["incident_id"], message.body["data"]["reason"]) == ("i1", "opened")
    assert message.body["data"]["links"] == [
        {"act": "acknowledge", "label": "Acknowledge", "url": "https://alerts.example/ack"}
    ]


FAULTS = [
    ("slack", {"kind": "error", "error": "token_revoked"}, DeliveryReason.CREDENTIALS, False),
    ("slack", {"kind": "error", "error": "missing_scope"}, DeliveryReason.CREDENTIALS, False),
    ("slack", {"kind": "error", "error": "not_in_channel"}, DeliveryReason.NO_CONVERSATION, False),
    ("slack", {"kind": "error", "error": "is_archived"}, DeliveryReason.NO_CONVERSATION, False),
    ("slack", {"kind": "error", "error": "fatal_error"}, DeliveryReason.VENDOR_ERROR, True),
    ("slack", {"kind": "error", "error": "invalid_blocks"}, DeliveryReason.REFUSED, False),
    ("slack", {"kind": "error", "error": "msg_too_long"}, DeliveryReason.TOO_LARGE, False),
    ("slack", {"kind": "error", "error": "brand_new_error"}, DeliveryReason.REFUSED, False),
    ("slack", {"kind": "status", "status": 503}, DeliveryReason.VENDOR_ERROR, True),
    ("slack", {"kind": "cut"}, DeliveryReason.TIMED_OUT, True),
    ("slack-webhook", {"kind": "status", "status": 404, "error": "no_service"}, DeliveryReason.NO_CONVERSATION, False),
    ("slack-webhook", {"kind": "status", "status": 500}, DeliveryReason.VENDOR_ERROR, True),
    ("teams", {"kind": "status", "status": 401}, DeliveryReason.CREDENTIALS, False),
    ("teams", {"kind": "status", "status": 404}, DeliveryReason.NO_CONVERSATION, False),
    ("teams", {"kind": "status", "status": 413}, DeliveryReason.TOO_LARGE, False),
    ("teams", {"kind": "status", "status": 400}, DeliveryReason.REFUSED, False),
    ("webhook", {"kind": "status", "status": 410}, DeliveryReason.NO_CONVERSATION, False),
    ("teams", {"kind": "status", "status": 400, "error": "MessageSizeExceeded-..."}, DeliveryReason.TOO_LARGE, False),
    ("webhook", {"kind": "status", "status": 302}, DeliveryReason.NO_CONVERSATION, False),
    ("webhook", {"kind": "cut-after"}, DeliveryReason.TIMED_OUT, True),
]


async def test_every_way_to_fail_has_its_reason_and_names_no_secret(live: Live) -> None:
    for name, fault, reason, retryable in FAULTS:
        await live.chat.inject("*", **fault, times=1)  # type: ignore[arg-type]
        failure = await live.failure(name)
        assert (name, fault, failure.reason, failure.retryable) == (name, fault, reason, retryable)
        assert "secret" not in str(failure)
        assert live.chat.settings.token not in str(failure)


@pytest.mark.parametrize("name", ["slack", "slack-webhook", "teams", "webhook"])
async def test_a_vendor_that_is_busy_says_how_long(live: Live, name: str) -> None:
    await live.chat.inject("*", "status", status=429, retry_after=7, times=1)
    failure = await live.failure(name)
    assert (failure.reason, failure.retry_after) == (DeliveryReason.RATE_LIMITED, timedelta(seconds=7))


async def test_a_card_that_somebody_removed_is_gone(live: Live) -> None:
    gone = MessageRef(conversation="C0SRE", id="1.000001")
    failure = await live.failure("slack", update=gone)
    assert failure.reason is DeliveryReason.MESSAGE_GONE


async def test_a_vendor_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        policy = AlertPolicy.model_validate({"channels": {"one": {"kind": "teams", "secret": "one"}}})
        settings = AlertSettings.model_validate({"channels": {"urls": {"one": url}}})
        async with a_client() as http:
            channel = make_channels(policy, settings, http=http, now=lambda: datetime.now(UTC)).channels["one"]
            with pytest.raises(DeliveryError) as raised:
                await channel.send(Message(delivery_id="d1", card=CARD))
    assert raised.value.reason is DeliveryReason.UNREACHABLE


async def test_a_card_that_says_too_much_is_posted_all_the_same(live: Live) -> None:
    """A flow would accept it and never post it."""
    lines = ["漢字" * 200] * 200
    for name in ("slack", "slack-webhook", "teams", "webhook"):
        await live.channels[name].send(
            Message(delivery_id="d1", card=Card(title="t", tone=Tone.INFO, fallback="t", lines=lines))
        )
    assert len(await live.chat.messages()) == 4
    assert await complaints(live.chat) == []


class Dripping:
    """Takes messages, and then says a byte now and again until nobody listens."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 1000000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_who_never_comes_to_an_end_holds_up_no_channel() -> None:
    dripping = Dripping()
    server = await asyncio.start_server(dripping, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = AlertSettings.model_validate(
        {"slack": {"token": "xoxb-1", "api_url": url}, "channels": {"urls": dict.fromkeys(("slack", "teams"), url)}}
    )
    async with server, asyncio.timeout(60):
        async with a_client() as http:
            channels = make_channels(POLICY, settings, http=http, now=lambda: datetime.now(UTC)).channels
            sent = (channels[name].send(Message(delivery_id="d1", card=CARD)) for name in ("teams", "slack"))
            taken, unclear = await asyncio.gather(*sent, return_exceptions=True)
        await asyncio.gather(*dripping.tasks)
    assert taken == Receipt(posted=False)
    assert isinstance(unclear, DeliveryError)
    assert unclear.reason is DeliveryReason.VENDOR_ERROR
