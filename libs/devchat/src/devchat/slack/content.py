"""What a message may be made of: text, blocks, attachments and metadata, checked as Slack does."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from devchat.checks import Mistakes, address, fields, text
from devchat.record import Message
from devchat.slack import blocks as block_kit
from devchat.slack import mrkdwn

MOST_ATTACHMENTS = 100
LONGEST_TEXT = 40_000


def _checked_apart(value: Any, at: str) -> Mistakes:
    yield from ()


_ATTACHMENT = fields(
    {},
    {
        "color": text(7),
        "fallback": text(3000),
        "blocks": _checked_apart,
        "text": text(8000, 0),
        "pretext": text(3000),
        "title": text(3000),
        "title_link": address(3000),
        "footer": text(300),
    },
)
_numbers = count(1)


class Refused(Exception):
    """The answer is ok false."""

    def __init__(self, error: str, messages: Sequence[str] = ()) -> None:
        super().__init__(error)
        self.error, self.messages = error, list(messages)

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = {"ok": False, "error": self.error}
        if self.messages:
            found |= {"errors": self.messages, "response_metadata": {"messages": self.messages}}
        return found


def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The content alone. Raises Refused."""
    content = {name: arguments.get(name) or empty for name, empty in _EMPTY.items()}
    if not isinstance(content["text"], str):
        raise Refused("invalid_arguments", ["[ERROR] must be a string [json-pointer:/text]"])
    if not content["text"] and not content["blocks"] and not content["attachments"]:
        raise Refused("no_text")
    if len(content["text"]) > LONGEST_TEXT:
        raise Refused("msg_too_long")
    _check_blocks(content["blocks"], "/blocks")
    _check_attachments(content["attachments"])
    _check_metadata(content["metadata"])
    return content


_EMPTY: dict[str, Any] = {"text": "", "blocks": [], "attachments": [], "metadata": {}}


def _check_blocks(blocks: Any, at: str) -> None:
    if found := block_kit.mistakes(blocks, at):
        raise Refused("invalid_blocks", found)
    if block_kit.too_long(blocks):
        raise Refused("msg_blocks_too_long")


def _check_attachments(attachments: Any) -> None:
    if not isinstance(attachments, list):
        raise Refused("invalid_attachments")
    if len(attachments) > MOST_ATTACHMENTS:
        raise Refused("too_many_attachments")
    for number, each in enumerate(attachments):
        at = f"/attachments/{number}"
        if found := list(_ATTACHMENT(each, at)):
            raise Refused("invalid_attachments", [f"[ERROR] {what} [json-pointer:{where}]" for what, where in found])
        _check_blocks(each.get("blocks", []), f"{at}/blocks")


def _check_metadata(metadata: Any) -> None:
    if metadata and (not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}):
        raise Refused("invalid_metadata_format")
    if metadata and not isinstance(metadata["event_payload"], dict):
        raise Refused("invalid_metadata_schema")


def apply(message: Message, content: Mapping[str, Any]) -> Message:
    """The message with this content and no other. What Slack takes silently, but nobody should send, is noted."""
    message.text = content["text"]
    message.blocks = block_kit.with_ids(content["blocks"], _ids())
    message.attachments = content["attachments"]
    for each in message.attachments:
        each["blocks"] = block_kit.with_ids(each.get("blocks", []), _ids())
    message.metadata = content["metadata"] or message.metadata
    marked = [message.text, *block_kit.texts(message.all_blocks, "mrkdwn")]
    message.pings = [ping for each in marked[1:] or marked for ping in mrkdwn.pings(each)]
    message.complaints += [f"not escaped: {found}" for each in marked for found in mrkdwn.unescaped(each)]
    if (message.blocks or message.attachments) and not message.text:
        message.complaints.append("no text for notifications beside the blocks")
    return message


def _ids() -> Iterator[str]:
    while True:
        yield f"gen{next(_numbers)}"
