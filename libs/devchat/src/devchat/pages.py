"""Pages to look at: the channels, and the messages in each, with buttons that can be pressed."""

import html
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from devchat.addresses import addresses
from devchat.markup import card_html, slack_html
from devchat.record import Message
from devchat.state import STATE
from devchat.teams import cards

ROUTES = web.RouteTableDef()

Markup = Callable[[str], str]  # Slack's text as HTML

_LOOK = Path(__file__).with_name("look.html").read_text()


@ROUTES.get("/")
async def channels(request: web.Request) -> web.Response:
    state = request.app[STATE]
    rows = []
    for name in state.settings.channels:
        counts = {vendor: sum(1 for _ in state.record.shown(name, vendor)) for vendor in ("slack", "teams", "hook")}
        links = " · ".join(
            f'<a href="/look/{vendor}/{name}">{vendor} ({count})</a>' for vendor, count in counts.items()
        )
        rows.append(f"<div class=message><b>#{html.escape(name)}</b> {links}</div>")
    told = "".join(
        f"<dt>{html.escape(name)}</dt><dd><code>{html.escape(text)}</code></dd>" for name, text in addresses(state)
    )
    return _page("Channels", f"{''.join(rows)}<h3>What to give the sender</h3><dl>{told}</dl>")


@ROUTES.get("/look/{vendor}/{channel}")
async def channel(request: web.Request) -> web.Response:
    state = request.app[STATE]
    name, vendor = request.match_info["channel"], request.match_info["vendor"]
    shown = list(state.record.shown(name, vendor))[-200:]
    people = "".join(
        f"<option value={user}>{html.escape(name)}</option>" for user, name in state.settings.users.items()
    )
    now, users = datetime.now(UTC), state.settings.users
    messages = "".join(message_html(each, lambda text: slack_html(text, users, now=now)) for each in shown)
    who = f'<p><a href="/">Channels</a> · press as <select id=user>{people}</select></p>'
    return _page(f"{vendor}: #{name}", who + f"<div id=messages>{messages}</div>")


def message_html(message: Message, markup: Markup) -> str:
    """One message with its buttons."""
    marks = [time.strftime("%H:%M:%S", time.gmtime(message.at)), message.by]
    marks += [f"changed {message.versions - 1} times"] if message.versions > 1 else []
    marks += [f"only for {message.only_for}"] if message.only_for else []
    marks += [f"pings {', '.join(message.pings)}"] if message.pings else []
    return (
        f'<div class="message{" reply" if message.thread else ""}">'
        f"<div class=meta>{html.escape(' · '.join(marks))}</div>"
        f"{_content(message, markup)}"
        + "".join(f"<div class=complaint>{html.escape(each)}</div>" for each in message.complaints)
        + "</div>"
    )


def _content(message: Message, markup: Markup) -> str:
    if message.vendor == "teams":
        return _adaptive(message.card)
    if message.vendor == "hook":
        return f"<pre>{html.escape(json.dumps(message.body, indent=1, ensure_ascii=False))}</pre>"
    if not message.all_blocks:
        return f"<p>{markup(message.text)}</p>"
    parts = [_block(each, message, markup) for each in message.blocks]
    for each in message.attachments:
        colour = each.get("color", "#999") if re.fullmatch(r"#[0-9a-fA-F]{6}", each.get("color", "")) else "#999"
        inner = "".join(_block(block, message, markup) for block in each.get("blocks", []))
        parts.append(f'<div class=bar style="border-color:{colour}">{inner}{markup(each.get("text", ""))}</div>')
    return "".join(parts)


def _block(block: dict[str, Any], message: Message, markup: Markup) -> str:
    kind = block["type"]
    if kind == "divider":
        return "<hr>"
    if kind == "header":
        return f"<h3>{html.escape(block['text']['text'])}</h3>"
    if kind == "context":
        return f"<div class=context>{' '.join(_text(each, markup) for each in block['elements'])}</div>"
    if kind == "actions":
        return "".join(_button(each, message) for each in block["elements"])
    fields = "".join(f"<div>{_text(each, markup)}</div>" for each in block.get("fields", []))
    accessory = _button(block["accessory"], message) if "accessory" in block else ""
    text = _text(block["text"], markup) if isinstance(block.get("text"), dict) else html.escape(block.get("text", ""))
    return f"<div>{text}{accessory}</div>" + (f"<div class=fields>{fields}</div>" if fields else "")


def _button(element: dict[str, Any], message: Message) -> str:
    if element["type"] != "button":
        options = [each["text"]["text"] for each in element.get("options", [])]
        return "".join(_press(each, "", message) for each in options)
    shown = _press(element["text"]["text"], element.get("style", ""), message)
    return shown + (f' <a href="{html.escape(element["url"])}">↗</a>' if "url" in element else "")


def _press(label: str, style: str, message: Message) -> str:
    named = {"id": message.id, "channel": message.channel, "button": label}
    data = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in named.items())
    return f'<button class="{html.escape(style)}" {data}>{html.escape(label)}</button>'


def _text(element: dict[str, Any], markup: Markup) -> str:
    if element.get("type") == "image":
        return html.escape(element.get("alt_text", ""))
    shown = (
        html.escape(element["text"]).replace("\n", "<br>")
        if element["type"] == "plain_text"
        else markup(element["text"])
    )
    return f"<span>{shown}</span>"


def _adaptive(value: Any) -> str:
    """An Adaptive Card, simply laid out."""
    if isinstance(value, list):
        return "".join(map(_adaptive, value))
    kind = value.get("type", "")
    if kind == "TextBlock":
        shown = card_html(value["text"])
        return f"<h3>{shown}</h3>" if value.get("weight") == "Bolder" else f"<div>{shown}</div>"
    if kind == "RichTextBlock":
        return f"<div>{''.join(html.escape(each['text']) for each in value['inlines'])}</div>"
    if kind == "FactSet":
        facts = (
            f"<div><b>{html.escape(each['title'])}</b> {card_html(each['value'])}</div>" for each in value["facts"]
        )
        return f"<div class=fields>{''.join(facts)}</div>"
    inner = "".join(_adaptive(value[name]) for name in ("body", "items", "columns", "card") if name in value)
    links = (
        f'<a href="{html.escape(each["url"])}"><button>{html.escape(each["title"])}</button></a>'
        for each in cards.actions(value.get("actions", []))
    )
    return f"<div>{inner}{''.join(links)}</div>"


def _page(title: str, body: str) -> web.Response:
    return web.Response(text=_LOOK.replace("TITLE", html.escape(title)).replace("BODY", body), content_type="text/html")
