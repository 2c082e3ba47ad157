"""The Teams and webhook stand-ins, the pages, the previewers, and a chat as a process of its own."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
from aiohttp import web
from tests.support.chat import a_chat, buttons, shown_text

from devchat import Settings, process

Json = dict[str, Any]


def a_card(text: str = "hello", url: str = "https://x.example/l/1") -> Json:
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "body": [{"type": "TextBlock", "text": text, "wrap": True}],
        "actions": [{"type": "Action.OpenUrl", "title": "Acknowledge", "url": url}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


async def test_a_flow_accepts_before_it_posts_and_tells_nothing() -> None:
    async with a_chat() as chat, httpx.AsyncClient() as http:
        url = chat.workflow_url("ops")
        answers = [await http.post(url, json=each) for each in (a_card(), a_card("x" * 25_000), {"text": "no card"})]
        assert [(each.status_code, each.content) for each in answers] == [(202, b"")] * 3
        message = await chat.message(channel="ops", vendor="teams")
        assert shown_text(message) == "hello\nhello"
        assert buttons(message) == ["Acknowledge"]
        assert len(await chat.messages()) == 1


async def test_a_flow_that_responds_says_what_became_of_it() -> None:
    async with a_chat() as chat, httpx.AsyncClient() as http:
        url = chat.workflow_url("ops", responds=True)
        assert (await http.post(url, json=a_card())).status_code == 200
        refused = await http.post(url, json=a_card("x" * 25_000))
        assert refused.status_code == 502
        assert "MessageSizeExceeded" in refused.text
        assert len(await chat.messages("ops")) == 1


async def test_a_flow_wants_its_signature_and_has_limits() -> None:
    async with a_chat() as chat, httpx.AsyncClient() as http:
        url = chat.workflow_url("ops")
        assert (await http.post(url.replace("ops-secret", "guess"), json=a_card())).status_code == 401
        assert (await http.post(url, content=b"{")).status_code == 400
        answers = await asyncio.gather(*(http.post(url, json=a_card()) for _ in range(30)))
        refused = [each for each in answers if each.status_code == 429]
        assert int(refused[0].headers["Retry-After"]) == 1
        assert len(await chat.messages()) == 30 - len(refused) >= 3
        await chat.clear()
        await chat.inject("teams.workflow", "swallow", channel="ops")
        assert (await http.post(url, json=a_card())).status_code == 202
        assert await chat.messages() == []


def a_signature(secret: str, message_id: str, at: int, body: bytes) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


async def test_a_hook_takes_only_what_is_signed_and_a_retry_once() -> None:
    async with a_chat() as chat, httpx.AsyncClient() as http:
        body, secret, url, now = (
            json.dumps({"text": "x"}).encode(),
            chat.settings.hook_secret,
            chat.hook_url("ops"),
            int(time.time()),
        )
        good = a_signature(secret, "m1", now, body)
        assert [(await http.post(url, content=body, headers=good)).status_code for _ in range(2)] == [204, 204]
        for headers in ({}, a_signature(secret, "m2", now - 400, body), a_signature(secret, "m2", now, b"other")):
            assert (await http.post(url, content=body, headers=headers)).status_code == 401
        [message] = await chat.messages("ops")
        assert (message.body, message.versions) == ({"text": "x"}, 2)


class Confirming:
    """A site whose page asks before it acts."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.acted: list[Json] = []

    async def page(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.headers["User-Agent"].split("/")[0]))
        form = (
            '<form method="post" action="/act"><input type="hidden" name="token" value="t1"><input name="name"></form>'
        )
        return web.Response(text=f"<html>{form}</html>", content_type="text/html")

    async def act(self, request: web.Request) -> web.Response:
        self.acted.append(dict(await request.post()))
        return web.Response(text="acknowledged")


async def test_a_link_is_visited_by_previewers_and_pressed_by_a_person() -> None:
    site, server = Confirming(), web.Application()
    server.router.add_get("/l/1", site.page)
    server.router.add_post("/act", site.act)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    base = f"http://127.0.0.1:{listening._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        async with a_chat(Settings(crawl=base)) as chat, httpx.AsyncClient() as http:
            await http.post(chat.workflow_url("ops"), json=a_card(url=f"{base}/l/1"))
            deadline = time.monotonic() + 30
            while len(site.seen) < 4 and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert site.seen == [
                ("HEAD", "Slackbot-LinkExpanding 1.0 (+https:"),
                ("GET", "Slackbot-LinkExpanding 1.0 (+https:"),
                ("HEAD", "Mozilla"),
                ("GET", "Mozilla"),
            ]
            assert site.acted == []
            press = await chat.press(await chat.message(channel="ops"), "Acknowledge", user="U0BEN")
            assert (press.status, press.answer) == (200, "acknowledged")
            assert site.acted == [{"token": "t1", "name": "ben"}]
    finally:
        await runner.cleanup()


async def test_there_are_pages_to_look_at() -> None:
    async with a_chat() as chat, httpx.AsyncClient() as http:
        await http.post(chat.workflow_url("ops"), json=a_card("**bold** <script>"))
        await http.post(chat.webhook_url("ops"), json={"text": "*bold* &lt;script&gt;"})
        assert "teams (1)" in (await http.get(chat.url)).text
        for vendor in ("teams", "slack", "hook"):
            page = (await http.get(f"{chat.url}/look/{vendor}/ops")).text
            assert ("<b>bold</b> &lt;script&gt;" in page) is (vendor != "hook")


async def test_a_chat_as_a_process_of_its_own_ends_with_its_user() -> None:
    async with process(Settings(channels=("lab",))) as chat, httpx.AsyncClient() as http:
        assert (await http.post(chat.webhook_url("lab"), json={"text": "hello"})).text == "ok"
        assert (await chat.message(channel="lab")).text == "hello"
        url = chat.url
    async with httpx.AsyncClient() as http:
        try:
            await http.get(url)
        except httpx.ConnectError:
            return
    raise AssertionError("it still listens")
