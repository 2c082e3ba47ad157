"""What tests, the demo and benchmarks do with a chat: look at it, press its buttons, break it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import httpx
import msgspec

from devchat import following
from devchat.faults import Fault
from devchat.record import Exchange, Message, Press
from devchat.settings import Settings
from devchat.slack import webhooks
from devchat.teams import cards, workflows

T = TypeVar("T")
WITHIN_SECONDS = 30.0


class Chat:
    """A running chat, in this process or another one."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self.settings = settings
        self._http = httpx.AsyncClient(timeout=60)

    @property
    def slack_api_url(self) -> str:
        return f"{self.url}/slack/api/"

    def webhook_url(self, channel: str) -> str:
        """Of a Slack incoming webhook."""
        return self.url + webhooks.path(channel)

    def workflow_url(self, channel: str, *, responds: bool = False) -> str:
        """Of a Teams flow. One that responds says what became of the message; the usual one does not."""
        return self.url + workflows.path(channel, responds=responds)

    def hook_url(self, channel: str) -> str:
        """Of a generic webhook, signed with the settings' `hook_secret`."""
        return f"{self.url}/hooks/{channel}"

    async def messages(self, channel: str = "", vendor: str = "", after: int = 0) -> list[Message]:
        """All that are shown, the oldest first; with `after` those that changed since that number."""
        return await self._get("messages", list[Message], channel=channel, vendor=vendor, after=after)

    async def message(
        self,
        fits: Callable[[Message], object] = lambda message: True,
        *,
        channel: str = "",
        vendor: str = "",
        within: float = WITHIN_SECONDS,
    ) -> Message:
        """The newest message that fits, waited for. AssertionError tells what there is instead."""
        deadline, after = time.monotonic() + within, 0
        while True:
            found = await self.messages(channel, vendor, after)
            if fitting := [each for each in found if fits(each)]:
                return fitting[-1]
            if time.monotonic() > deadline:
                there_is = _listed(await self.messages(channel, vendor))
                raise AssertionError(f"no such message within {within} s; there is\n{there_is}")
            after = max((each.number for each in found), default=after)
            await asyncio.sleep(0.03)

    async def exchanges(self, endpoint: str = "*", after: int = 0) -> list[Exchange]:
        """Requests to an endpoint (a pattern), such as slack.chat.* or teams.workflow, the oldest first."""
        found = await self._get("exchanges", list[Exchange], after=after)
        return [each for each in found if fnmatchcase(each.endpoint, endpoint)]

    async def presses(self) -> list[Press]:
        return await self._get("presses", list[Press])

    async def press(self, message: Message, button: str, user: str = "U0ANA", **fields: str) -> Press:
        """Presses a button by its text or action_id; on Teams opens its link and confirms on the page."""
        if message.vendor == "teams":
            return await self._press_link(message, button, user, fields)
        return await self._press({**_where(message), "button": button, "user": user})

    async def prepare(self, message: Message, button: str, user: str = "U0ANA") -> Press:
        """As `press`, but nothing is sent: for clicks that are forged, changed, or sent again and again."""
        return await self._press({**_where(message), "button": button, "user": user, "only_prepare": True})

    async def send(self, press: Press) -> Press:
        """Posts it as it is; once more, if it was posted before."""
        return await self._press(msgspec.to_builtins(press))

    async def look(self, url: str) -> following.Page:
        """Opens a link as a person does, and presses nothing."""
        return await following.look(self._http, url)

    async def confirm(self, page: following.Page, by: str = "ana", **fields: str) -> following.Page:
        """Presses the button of a page."""
        return await following.confirm(self._http, page, by, **fields)

    async def inject(self, on: str, kind: str, **details: Any) -> None:
        """A fault; see `Fault` for the kinds and their details."""
        fault = msgspec.convert({"on": on, "kind": kind, **details}, Fault)
        await self._send("POST", "faults", fault)

    async def mend(self) -> None:
        """Ends all faults."""
        await self._send("DELETE", "faults")

    async def close_channels(self, *, archived: Sequence[str] = (), left: Sequence[str] = ()) -> None:
        """Archives channels, or takes the app out of them; those that are not named are open again."""
        await self._send("POST", "channels", {"archived": archived, "left": left})

    async def change(self, **settings: Any) -> None:
        """Changes settings, such as `interactivity_url`, while it runs."""
        answer = await self._send("PATCH", "settings", settings)
        self.settings = msgspec.json.decode(answer.content, type=Settings)

    async def clear(self) -> None:
        """Forgets all messages and requests, ends all faults and limits."""
        await self._send("DELETE", "record")

    async def close(self) -> None:
        await self._http.aclose()

    async def _press_link(self, message: Message, button: str, user: str, fields: dict[str, str]) -> Press:
        links = {each["title"]: each["url"] for each in cards.actions(message.card)}
        if button not in links:
            raise LookupError(f"no button {button!r}; there are {', '.join(links) or 'none'}")
        start = time.monotonic()
        page = await self.look(links[button])
        done = await self.confirm(page, self.settings.users.get(user, user), **fields) if page.action else page
        seconds = time.monotonic() - start
        return Press(url=links[button], headers={}, body="", status=done.status, answer=done.text, seconds=seconds)

    async def _press(self, asked: Any) -> Press:
        answer = await self._http.post(f"{self.url}/control/press", json=asked)
        if answer.status_code == 404:
            raise LookupError(answer.text)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=Press)

    async def _get(self, what: str, kind: type[T], **query: Any) -> T:
        answer = await self._http.get(f"{self.url}/control/{what}", params=query)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=kind)

    async def _send(self, method: str, what: str, content: object = None) -> httpx.Response:
        body = None if content is None else msgspec.json.encode(content)
        answer = await self._http.request(method, f"{self.url}/control/{what}", content=body)
        answer.raise_for_status()
        return answer


def _where(message: Message) -> dict[str, str]:
    return {"channel": message.channel, "id": message.id}


def _listed(messages: list[Message]) -> str:
    return "\n".join(f"{each.vendor} {each.channel} {each.id} {each.text[:120]!r}" for each in messages[-40:]) or "none"
