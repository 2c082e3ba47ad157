"""Block Kit as Slack checks it: every field and limit of the blocks that messages are made of.

https://docs.slack.dev/reference/block-kit/blocks
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from devchat.checks import Check, Mistakes, address, fields, flag, kinds, listing, one_of, text

MOST_BLOCKS = 50
# Not documented: texts of all blocks together, with some room taken by each container.
# https://github.com/slackapi/bolt-js/issues/2509
MOST_TOGETHER, CONTAINER = 12_000, 30
_ID = text(255)


def _plain(longest: int) -> Check:
    return fields({"text": text(longest)}, {"emoji": flag})


def _texts(longest: int) -> dict[str, Check]:
    return {"plain_text": _plain(longest), "mrkdwn": fields({"text": text(longest)}, {"verbatim": flag})}


def plain(longest: int) -> Check:
    return kinds({"plain_text": _plain(longest)})


def marked(longest: int) -> Check:
    return kinds(_texts(longest))


_CONFIRM = fields(
    {"title": plain(100), "text": marked(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of(("primary", "danger"))},
)
_OPTION = fields({"text": marked(75), "value": text(150)}, {"description": marked(75), "url": address(3000)})
_BUTTON = fields(
    {"text": plain(75)},
    {
        "action_id": _ID,
        "url": address(3000),
        "value": text(2000),
        "style": one_of(("primary", "danger")),
        "confirm": _CONFIRM,
        "accessibility_label": text(75),
    },
)
_IMAGE = fields({"image_url": address(3000), "alt_text": text(2000)})
_INTERACTIVE = {
    "button": _BUTTON,
    "overflow": fields({"options": listing(_OPTION, 5)}, {"action_id": _ID, "confirm": _CONFIRM}),
    "static_select": fields(
        {"options": listing(_OPTION, 100)},
        {"action_id": _ID, "placeholder": plain(150), "initial_option": _OPTION, "confirm": _CONFIRM},
    ),
}
_BLOCK = kinds(
    {
        "section": fields(
            {},
            {
                "text": marked(3000),
                "fields": listing(marked(2000), 10),
                "accessory": kinds({**_INTERACTIVE, "image": _IMAGE}),
                "expand": flag,
                "block_id": _ID,
            },
        ),
        "header": fields({"text": plain(150)}, {"block_id": _ID}),
        "divider": fields({}, {"block_id": _ID}),
        "context": fields({"elements": listing(kinds({**_texts(3000), "image": _IMAGE}), 10)}, {"block_id": _ID}),
        "actions": fields({"elements": listing(kinds(_INTERACTIVE), 25)}, {"block_id": _ID}),
        "image": fields({"image_url": address(3000), "alt_text": text(2000)}, {"title": plain(2000), "block_id": _ID}),
        "markdown": fields({"text": text(12_000)}, {"block_id": _ID}),
    }
)
_BLOCKS = listing(_BLOCK, MOST_BLOCKS, least=0)


def mistakes(blocks: Any, at: str = "/blocks") -> list[str]:
    """As Slack words them in `response_metadata.messages`."""
    found = list(_BLOCKS(blocks, at))
    if not found:
        found = [*_empty_sections(blocks, at), *_repeated(blocks, at)]
    return [f"[ERROR] {what} [json-pointer:{where}]" for what, where in found]


def too_long(blocks: list[dict[str, Any]]) -> bool:
    """Whether they are too long together, though none is by itself."""
    return sum(len(each) for each in texts(blocks)) + CONTAINER * len(blocks) > MOST_TOGETHER


def texts(value: Any, kind: str = "") -> Iterator[str]:
    """Every text in blocks; with `kind`, only those in text objects of it."""
    if isinstance(value, list):
        for each in value:
            yield from texts(each, kind)
    elif isinstance(value, dict):
        found = value.get("text")
        if isinstance(found, str) and kind in ("", value.get("type")):
            yield found
        for each in value.values():
            yield from texts(each, kind)


def interactive(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each block with each element of it that can be pressed."""
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory", {})]:
            if element.get("type") in _INTERACTIVE:
                yield block, element


def with_ids(blocks: list[dict[str, Any]], known: Iterator[str]) -> list[dict[str, Any]]:
    """Slack gives an id to every block and element that has none."""
    for block in blocks:
        block.setdefault("block_id", next(known))
        for _, element in interactive([block]):
            element.setdefault("action_id", next(known))
    return blocks


def _empty_sections(blocks: list[dict[str, Any]], at: str) -> Mistakes:
    for number, block in enumerate(blocks):
        if block["type"] == "section" and "text" not in block and "fields" not in block:
            yield "missing required field: text or fields", f"{at}/{number}"


def _repeated(blocks: list[dict[str, Any]], at: str) -> Mistakes:
    named = Counter(block["block_id"] for block in blocks if "block_id" in block)
    yield from ((f"block_id {each} is not unique", at) for each, times in named.items() if times > 1)
    for number, block in enumerate(blocks):
        acts = Counter(element["action_id"] for _, element in interactive([block]) if "action_id" in element)
        for each, times in acts.items():
            if times > 1:
                yield f"action_id {each} is not unique within its block", f"{at}/{number}"
