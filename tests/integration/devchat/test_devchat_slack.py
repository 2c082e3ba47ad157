"""The Slack stand-in, asked by Slack's own client library and by a service that checks signatures."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from tests.support.chat import a_chat, complaints

from devchat import Chat, Settings

Json = dict[str, Any]
BLOCKS: list[Json] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*KubePodCrashLooping* for <@U0ANA>"}},
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "text": {"type": "plain_text", "text": "Acknowledge"},
                "action_id": "ack",
                "value": "i1",
            },
            {
                "type": "button",
                "text": {"type": "plain_text", "text": "Runbook"},
                "action_id": "run",
                "url": "https://x.io",
            },
        ],
    },
]


def client(chat: Chat, token: str = "xoxb-devchat") -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=chat.slack_api_url)


async def refusal(chat: Chat, method: str, token: str = "xoxb-devchat", **arguments: Any) -> str:
    """The error that a method answers with."""
    with pytest.raises(SlackApiError) as raised:
        await client(chat, token).api_call(method, json=arguments)
    return str(raised.value.response["error"])


class App:
    """A service that answers presses, after checking that they come from Slack."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.payload: Json = {}

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        if not SignatureVerifier("devchat-signing-secret").is_valid_request(body, dict(request.headers)):
            return web.Response(status=401)
        self.bodies.append(body)
        form = await request.post()
        self.payload = json.loads(str(form["payload"]))
        return web.Response()


@asynccontextmanager
async def an_app() -> AsyncIterator[tuple[App, str]]:
    app, server = App(), web.Application()
    server.router.add_post("/slack", app.handle)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield app, f"http://127.0.0.1:{port}/slack"
    finally:
        await runner.cleanup()


async def test_a_message_is_posted_changed_and_answered_in_its_thread() -> None:
    async with a_chat() as chat:
        slack = client(chat)
        assert (await slack.auth_test())["bot_id"] == "B0APP"
        posted = await slack.chat_postMessage(channel="#sre", text="firing", blocks=BLOCKS)
        channel, ts = posted["channel"], posted["ts"]
        await slack.chat_postMessage(channel=channel, thread_ts=ts, text="a reply", reply_broadcast=True)
        first, reply = await chat.messages("sre")
        assert first.pings == ["<@U0ANA>"]
        assert (reply.thread, reply.broadcast) == (ts, True)
        await slack.chat_update(channel=channel, ts=ts, text="resolved")
        changed = (await chat.messages("sre"))[0]
        assert (changed.text, changed.blocks, changed.versions) == ("resolved", [], 2)


async def test_refusals_have_slacks_own_words() -> None:
    async with a_chat() as chat:
        long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
        assert await refusal(chat, "chat.postMessage", channel="#nowhere", text="x") == "channel_not_found"
        assert await refusal(chat, "chat.postMessage", channel="#sre") == "no_text"
        assert await refusal(chat, "chat.postMessage", channel="#sre", text="x" * 40_001) == "msg_too_long"
        assert await refusal(chat, "chat.postMessage", channel="#sre", text="x", blocks=long) == "invalid_blocks"
        assert await refusal(chat, "chat.postMessage", channel="#sre", text="x", colour="red") == "invalid_arguments"
        assert await refusal(chat, "chat.postMessage", channel="#sre", text="x", thread_ts="0") == "invalid_thread_ts"
        assert await refusal(chat, "chat.postMessage", "xoxb-other", channel="#sre", text="x") == "invalid_auth"
        assert await refusal(chat, "chat.update", channel="#sre", ts="1.1", text="x") == "channel_not_found"
        assert await refusal(chat, "chat.update", channel="C0SRE", ts="1.1", text="x") == "message_not_found"
        assert await refusal(chat, "chat.postEphemeral", channel="#sre", user="U9", text="x") == "user_not_in_channel"
        assert await refusal(chat, "chat.meMessage", channel="#sre", text="x") == "unknown_method"
        await chat.close_channels(archived=["sre"], left=["ops"])
        assert await refusal(chat, "chat.postMessage", channel="#sre", text="x") == "is_archived"
        assert await refusal(chat, "chat.postMessage", channel="#ops", text="x") == "not_in_channel"
        assert await chat.messages() == []


async def test_what_slack_takes_but_nobody_should_send_is_noted() -> None:
    async with a_chat(careless=True) as chat:
        slack = client(chat)
        await slack.chat_postMessage(channel="sre", text="pod <x> & <!channel>")
        await slack.chat_postMessage(channel="sre", text="to nobody", thread_ts="1700000000.000001")
        first, second = await chat.messages("sre")
        assert first.pings == ["<!channel>"]
        assert second.thread == ""
        assert await complaints(chat) == [
            "slack #sre: not escaped: <x>",
            "slack #sre: not escaped: pod  & ",
            "slack #sre: a reply to 1700000000.000001, which is not there",
        ]


async def test_a_channel_takes_a_burst_and_then_a_message_a_second() -> None:
    async with a_chat() as chat:
        slack = client(chat)
        posts = (slack.chat_postMessage(channel="sre", text=str(number)) for number in range(16))
        outcomes = await asyncio.gather(*posts, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, SlackApiError)]
        assert {(each.response.status_code, each.response["error"]) for each in refused} == {(429, "ratelimited")}
        assert int(refused[0].response.headers["Retry-After"]) == 1
        assert len(await chat.messages("sre")) == 16 - len(refused) >= 4
        await slack.chat_postMessage(channel="ops", text="another channel")


async def test_a_press_is_signed_and_its_response_url_works_five_times() -> None:
    async with an_app() as (app, url), a_chat(Settings(interactivity_url=url)) as chat, httpx.AsyncClient() as http:
        await client(chat).chat_postMessage(channel="sre", text="firing", blocks=BLOCKS)
        message = await chat.message(channel="sre")
        press = await chat.press(message, "Acknowledge", user="U0BEN")
        assert (press.status, press.complaints) == (200, [])
        payload = app.payload
        assert (payload["type"], payload["user"]["id"], payload["user"]["name"]) == ("block_actions", "U0BEN", "ben")
        assert payload["actions"][0] | {"action_ts": "", "block_id": ""} == {
            "type": "button",
            "action_id": "ack",
            "block_id": "",
            "text": {"type": "plain_text", "text": "Acknowledge"},
            "value": "i1",
            "action_ts": "",
        }
        assert payload["container"]["message_ts"] == payload["message"]["ts"] == message.id

        async def respond(**body: Any) -> tuple[int, Json]:
            answer = await http.post(payload["response_url"], json=body)
            return answer.status_code, answer.json()

        assert await respond(text="acknowledged", replace_original=True) == (200, {"ok": True})
        assert await respond(text="only for you") == (200, {"ok": True})
        assert (await respond(text="x", colour="red"))[1]["error"] == "invalid_payload"
        for _ in range(2):
            assert (await respond(text="more"))[0] == 200
        assert await respond(text="too often") == (404, {"ok": False, "error": "used_url"})
        shown = await chat.messages("sre")
        assert (shown[0].text, shown[0].blocks) == ("acknowledged", [])
        assert shown[1].only_for == "U0BEN"


async def test_a_click_can_be_repeated_and_forged_and_a_slow_answer_is_noticed() -> None:
    async with an_app() as (app, url), a_chat(Settings(interactivity_url=url)) as chat:
        await client(chat).chat_postMessage(channel="sre", text="firing", blocks=BLOCKS)
        message = await chat.message(channel="sre")
        press = await chat.prepare(message, "ack")
        assert app.bodies == []
        for _ in range(2):
            assert (await chat.send(press)).status == 200
        assert app.bodies == [press.body] * 2
        press.headers["X-Slack-Signature"] = "v0=" + "0" * 64
        assert (await chat.send(press)).complaints == ["answered 401"]
        with pytest.raises(LookupError, match="no button 'Explode'; there are Acknowledge, Runbook"):
            await chat.press(message, "Explode")
        await chat.change(interactivity_url="http://127.0.0.1:1/")
        assert "no answer" in (await chat.press(message, "ack")).complaints[0]


async def test_an_incoming_webhook_answers_in_plain_text() -> None:
    async with a_chat() as chat, httpx.AsyncClient() as http:
        url = chat.webhook_url("ops")
        assert (await http.post(url, json={"text": "hello", "blocks": BLOCKS})).text == "ok"
        assert (await http.post(url, json={"blocks": [{"type": "nothing"}]})).text == "invalid_blocks"
        assert (await http.post(url, content=b"{")).text == "invalid_payload"
        assert (await http.post(url + "x", json={"text": "x"})).status_code == 404
        await chat.close_channels(archived=["ops"])
        assert (await http.post(url, json={"text": "x"})).status_code == 410
        assert [each.by for each in await chat.messages("ops")] == ["webhook"]


@pytest.mark.parametrize(
    ("fault", "saying", "posted"),
    [
        pytest.param({"kind": "error", "error": "token_revoked"}, "token_revoked", 0, id="an error"),
        pytest.param({"kind": "status", "status": 503}, "503", 0, id="a status"),
        pytest.param({"kind": "status", "status": 429, "retry_after": 7}, "429", 0, id="a limit"),
        pytest.param({"kind": "cut"}, None, 0, id="a connection that ends before"),
        pytest.param({"kind": "cut-after"}, None, 1, id="a connection that ends after"),
    ],
)
async def test_a_fault_meets_the_requests_it_is_for(fault: Json, saying: str | None, posted: int) -> None:
    async with a_chat() as chat:
        await chat.inject("slack.chat.*", times=1, channel="sre", **fault)
        slack = client(chat)
        slack.retry_handlers = []
        await slack.chat_postMessage(channel="ops", text="elsewhere")
        with pytest.raises(Exception, match=saying):
            await slack.chat_postMessage(channel="sre", text="met")
        assert len(await chat.messages("sre")) == posted
        await slack.chat_postMessage(channel="sre", text="after")
        assert [each.fault for each in await chat.exchanges("slack.chat.postMessage")] == ["", fault["kind"], ""]


async def test_swallowed_and_delayed_messages() -> None:
    async with a_chat() as chat:
        await chat.inject("slack.*", "swallow", times=1)
        assert (await client(chat).chat_postMessage(channel="sre", text="lost"))["ok"]
        await chat.inject("slack.*", "delay", times=1, seconds=0.2)
        start = time.monotonic()
        await client(chat).chat_postMessage(channel="sre", text="late")
        assert time.monotonic() - start >= 0.2
        assert [each.text for each in await chat.messages()] == ["late"]
        await chat.inject("*", "status", status=500)
        await chat.mend()
        await client(chat).auth_test()
