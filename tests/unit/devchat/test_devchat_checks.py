"""What the stand-ins refuse, and what they notice."""

from typing import Any

import pytest

from devchat.limits import Bucket, Windows
from devchat.slack import blocks, mrkdwn
from devchat.teams import cards

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def a_button(**fields: Any) -> Json:
    return {"type": "button", "text": plain("Press"), "action_id": "press"} | fields


def a_section(text: str = "hello", **fields: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}} | fields


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(a_section("x" * 3000), id="a section at its limit"),
        pytest.param({"type": "section", "fields": [plain("f" * 2000)] * 5}, id="fields"),
        pytest.param({"type": "header", "text": plain("h" * 150)}, id="a header at its limit"),
        pytest.param({"type": "context", "elements": [{"type": "mrkdwn", "text": "c"}] * 10}, id="a context"),
        pytest.param(
            {"type": "actions", "elements": [a_button(action_id=str(n), value="v" * 2000) for n in range(25)]},
            id="as many buttons as there can be",
        ),
        pytest.param({"type": "divider"}, id="a divider"),
    ],
)
def test_slack_takes(block: Json) -> None:
    assert blocks.mistakes([block]) == []


@pytest.mark.parametrize(
    ("block", "saying"),
    [
        pytest.param(a_section("x" * 3001), "less than 3001 characters [json-pointer:/blocks/0/text/text]", id="long"),
        pytest.param(a_section(""), "more than 0 characters", id="empty text"),
        pytest.param({"type": "section"}, "missing required field: text or fields", id="an empty section"),
        pytest.param(a_section(colour="red"), "there is colour", id="a field that nobody knows"),
        pytest.param({"type": "section", "fields": [plain("f")] * 11}, "no more than 10 items", id="eleven fields"),
        pytest.param({"type": "header", "text": plain("h" * 151)}, "less than 151", id="a long header"),
        pytest.param(
            {"type": "header", "text": {"type": "mrkdwn", "text": "h"}}, "unsupported type: mrkdwn", id="mrkdwn"
        ),
        pytest.param({"type": "actions", "elements": []}, "no fewer than 1", id="no buttons"),
        pytest.param({"type": "actions", "elements": [a_button()] * 26}, "no more than 25", id="too many buttons"),
        pytest.param({"type": "actions", "elements": [a_button()] * 2}, "action_id press is not unique", id="twins"),
        pytest.param(
            {"type": "actions", "elements": [a_button(value="v" * 2001)]},
            "/blocks/0/elements/0/value",
            id="a long value",
        ),
        pytest.param({"type": "actions", "elements": [a_button(style="green")]}, "one of primary", id="a style"),
        pytest.param({"type": "actions", "elements": [a_button(url="javascript:1")]}, "valid http", id="no address"),
        pytest.param({"type": "actions", "elements": [a_button(text=plain("t" * 76))]}, "less than 76", id="a label"),
        pytest.param({"type": "table"}, "unsupported type: table", id="a block that nobody knows"),
        pytest.param("text", "unsupported type: None", id="no block at all"),
    ],
)
def test_slack_refuses(block: Any, saying: str) -> None:
    assert saying in " ".join(blocks.mistakes([block]))


def test_slack_refuses_one_block_too_many_and_what_is_too_long_together() -> None:
    assert blocks.mistakes([{"type": "divider"}] * 50) == []
    assert "no more than 50 items" in blocks.mistakes([{"type": "divider"}] * 51)[0]
    assert not blocks.too_long([a_section("x" * 2900)] * 4)
    assert blocks.too_long([a_section("x" * 3000)] * 4)
    assert "block_id twin is not unique" in blocks.mistakes([{"type": "divider", "block_id": "twin"}] * 2)[0]


@pytest.mark.parametrize(
    ("text", "pings", "unescaped"),
    [
        pytest.param(
            "<@U0ANA> <!here> *bold* `code` <https://x.example|link>", ["<@U0ANA>", "<!here>"], [], id="meant"
        ),
        pytest.param("a &lt;!channel&gt; &amp; b", [], [], id="escaped"),
        pytest.param("pod <unknown> failed", [], ["<unknown>"], id="a word in angle brackets"),
        pytest.param("a < b", [], ["a < b"], id="a bare angle bracket"),
        pytest.param("a & b", [], ["a & b"], id="a bare ampersand"),
        pytest.param("<!channel>", ["<!channel>"], [], id="everybody"),
        pytest.param("<!subteam^S123>", ["<!subteam^S123>"], [], id="a group"),
        pytest.param("<javascript:alert(1)|x>", [], ["<javascript:alert(1)|x>"], id="another scheme"),
    ],
)
def test_markup_that_notifies_or_was_not_escaped_is_noticed(text: str, pings: list[str], unescaped: list[str]) -> None:
    assert mrkdwn.pings(text) == pings
    assert mrkdwn.unescaped(text) == unescaped


def a_card(*body: Json, **fields: Any) -> Json:
    content = {"type": "AdaptiveCard", "version": "1.5", "body": list(body), **fields}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def an_entity(name: str) -> Json:
    return {"type": "mention", "text": f"<at>{name}</at>", "mentioned": {"id": f"{name}@example.com", "name": name}}


FACTS = {"type": "FactSet", "facts": [{"title": "a", "value": "b"}]}
TEXT = {"type": "TextBlock", "text": "hello", "wrap": True, "weight": "Bolder"}


@pytest.mark.parametrize(
    "card",
    [
        pytest.param(a_card(TEXT), id="text"),
        pytest.param(
            a_card(
                {"type": "Container", "style": "attention", "items": [TEXT, FACTS]},
                {"type": "ColumnSet", "columns": [{"type": "Column", "width": "stretch", "items": [TEXT]}]},
                actions=[{"type": "Action.OpenUrl", "title": "Acknowledge", "url": "https://x.example/l/1"}],
                msteams={"width": "Full"},
            ),
            id="everything",
        ),
        pytest.param(a_card(TEXT | {"text": "<at>ana</at>"}, msteams={"entities": [an_entity("ana")]}), id="a mention"),
    ],
)
def test_teams_posts(card: Json) -> None:
    assert cards.mistakes(card) == []


@pytest.mark.parametrize(
    ("card", "saying"),
    [
        pytest.param({"text": "hello"}, "unsupported type: None", id="no message"),
        pytest.param(a_card(version="1.6"), "must be one of 1.0", id="a version it does not know"),
        pytest.param(a_card({"type": "Table"}), "unsupported type: Table", id="an element it does not show"),
        pytest.param(a_card(TEXT | {"colour": "red"}), "there is colour", id="a property that nobody knows"),
        pytest.param(
            a_card(actions=[{"type": "Action.Submit", "title": "x"}]), "unsupported type: Action.Submit", id="a submit"
        ),
        pytest.param(
            a_card(actions=[{"type": "Action.OpenUrl", "title": "x", "url": "https://x"}] * 7),
            "no more than 6",
            id="seven",
        ),
        pytest.param(
            a_card(actions=[{"type": "Action.OpenUrl", "title": "x", "url": "tel:1"}]), "valid http", id="no address"
        ),
        pytest.param(a_card(TEXT, msteams={"entities": [an_entity("ana")]}), "nothing in the card", id="no mention"),
    ],
)
def test_teams_does_not_post(card: Json, saying: str) -> None:
    assert saying in " ".join(cards.mistakes(card))


def test_the_size_that_teams_counts_is_more_than_what_was_sent() -> None:
    assert cards.counted_bytes(b"x" * 24_453, {}) == 28_897
    assert cards.counted_bytes(b"x" * 20_000, {}) < cards.MOST_BYTES
    assert cards.counted_bytes("ü".encode() * 10, {"text": "ü" * 6000}) > cards.MOST_BYTES


def test_markdown_links_are_found_unless_they_are_escaped() -> None:
    card = a_card(TEXT | {"text": "[press](https://evil.example) \\[not\\](https://x.example)"})
    assert cards.links(card["attachments"][0]["content"]) == ["https://evil.example"]


def test_a_bucket_allows_a_burst_and_then_a_pace() -> None:
    now = [0.0]
    bucket = Bucket(3, 1.0, now=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 1]
    now[0] = 1.0
    assert [bucket.take(), bucket.take()] == [0, 1]


def test_all_windows_hold_at_once() -> None:
    now = [0.0]
    windows = Windows(((2, 1.0), (3, 60.0)), now=lambda: now[0])
    assert [windows.take() for _ in range(3)] == [0, 0, 1]
    now[0] = 1.0
    assert [windows.take(), windows.take()] == [0, 59]
    now[0] = 60.0
    assert windows.take() == 0
