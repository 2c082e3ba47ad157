"""What follows every link by itself: Slack's link expansion, and protections that open pages like a browser.

Neither may change anything by that. https://api.slack.com/robots
"""

import asyncio

import aiohttp
from aiohttp import web

from devchat.record import Message
from devchat.slack import blocks, mrkdwn
from devchat.state import State
from devchat.teams import cards

AGENTS = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) SafeLinks",
)


def links_of(message: Message) -> list[str]:
    """Every address in it, once."""
    buttons = [element["url"] for _, element in blocks.interactive(message.all_blocks) if "url" in element]
    texts = [message.text, *blocks.texts(message.all_blocks)]
    written = [link for each in texts for link in mrkdwn.links(each)]
    opened = [each["url"] for each in cards.actions(message.card)]
    return list(dict.fromkeys([*buttons, *written, *opened, *cards.links(message.card)]))


class Crawlers:
    """Visits the links of what is posted, where the settings name whose."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._visits: set[asyncio.Task[None]] = set()

    def visit(self, message: Message) -> None:
        begin = self._state.settings.crawl
        if begin and (found := [each for each in links_of(message) if each.startswith(begin)]):
            task = asyncio.get_running_loop().create_task(_visit(found))
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)

    async def close(self, _: web.Application) -> None:
        for each in list(self._visits):
            each.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)


async def _visit(links: list[str]) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        for link in links:
            for agent in AGENTS:
                for method in ("HEAD", "GET"):
                    try:
                        async with http.request(method, link, headers={"User-Agent": agent}) as answer:
                            await answer.read()
                    except (aiohttp.ClientError, TimeoutError):
                        continue
