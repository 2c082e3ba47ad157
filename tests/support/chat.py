"""Slack and Teams for tests: strict stand-ins, one for each test, that nobody may have a complaint about at its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devchat import Chat, Message, Settings, running


@asynccontextmanager
async def a_chat(settings: Settings | None = None, *, careless: bool = False) -> AsyncIterator[Chat]:
    """A running chat. Unless the sender may be `careless`, no message had a complaint when it ends."""
    async with running(settings) as chat:
        yield chat
        if not careless:
            assert await complaints(chat) == []


async def complaints(chat: Chat) -> list[str]:
    """What the vendors take, but no careful sender sends: text that was not escaped, replies to nothing."""
    return [f"{each.vendor} #{each.channel}: {what}" for each in await chat.messages() for what in each.complaints]


def shown_text(message: Message) -> str:
    """Every text of a message, one per line."""
    from devchat.slack.blocks import texts
    from devchat.teams.cards import texts as card_texts

    return "\n".join([message.text, *texts(message.all_blocks), *card_texts(message.card)])


def buttons(message: Message) -> list[str]:
    """The labels of what can be pressed, in order."""
    from devchat.slack.blocks import interactive
    from devchat.teams.cards import actions

    labels = []
    for _, element in interactive(message.all_blocks):
        labels += [element["text"]["text"]] if "text" in element else []
        labels += [option["text"]["text"] for option in element.get("options", [])]
    return labels + [each["title"] for each in actions(message.card)]
