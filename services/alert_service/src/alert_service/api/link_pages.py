"""The pages that signed links lead to, as HTML that loads nothing and runs nothing."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from fastapi import Response
from jinja2 import Environment, StrictUndefined, Template

from alert_service.clicks.links import LinkReason
from alert_service.durations import shortly
from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import Incident
from alert_service.incidents.values import ButtonValue
from alert_service.storage.used_links import Use

_TITLES = {
    ActKind.ACKNOWLEDGE: "Acknowledge",
    ActKind.UNACKNOWLEDGE: "Take the acknowledgement back",
    ActKind.SILENCE: "Silence",
    ActKind.APPROVE: "Approve healing",
    ActKind.DENY: "Deny healing",
    ActKind.ESCALATE: "Escalate now",
    ActKind.RESOLVE: "Resolve",
    ActKind.NOISY: "Call it noise",
    ActKind.USEFUL: "Call it useful",
    ActKind.EXPLAIN: "Explain",
}
_REFUSED = {
    LinkReason.EXPIRED: (410, "This link has expired", "Use the newest card, or the API."),
    LinkReason.UNKNOWN_KEY: (410, "This link works no more", "Use the newest card, or the API."),
}
_NOT_A_LINK = (403, "This is not a link of this service", "It may have been cut off: open it from the card again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person has to fill in. With neither `name` nor `token` somebody else says who they are."""

    label: str
    name: bool = False
    token: bool = False
    people: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPage:
    """What a page says."""

    title: str
    tone: str = "muted"
    incident: str = ""
    facts: Sequence[tuple[str, str]] = ()
    text: str = ""
    ask: Ask | None = None


def confirm(
    act: ActKind, value: ButtonValue, incident: Incident, *, ask: Ask, now: datetime, text: str = ""
) -> LinkPage:
    """Asks before anything is done; `text` says what was wrong the last time."""
    facts = [
        ("Severity", incident.severity.value),
        ("State", f"{incident.state.value}, opened {shortly(now - incident.opened_at)} ago"),
        ("Alerts firing", f"{len(incident.firing)} of {len(incident.members)}"),
    ]
    if incident.acknowledgement is not None:
        facts.append(("Acknowledged by", incident.acknowledgement.by))
    if value.run_id is not None and incident.healing is not None:
        facts.append(("Healing", incident.healing.message))
    return LinkPage(
        title=f"{title(act, value)}?",
        tone=incident.severity.value,
        incident=incident.title,
        facts=facts,
        text=text,
        ask=ask,
    )


def title(act: ActKind, value: ButtonValue) -> str:
    """What a button of it says."""
    if act is not ActKind.SILENCE:
        return _TITLES.get(act, act.value.capitalize())
    return "Silence until it resolves" if value.duration is None else f"Silence for {shortly(value.duration)}"


def answered(act: ActKind, value: ButtonValue, incident: Incident | None, text: str, *, done: bool) -> LinkPage:
    """What came of it."""
    said = title(act, value) if act is ActKind.EXPLAIN else f"{title(act, value)}: done"
    return LinkPage(
        title=said if done else "Nothing was changed",
        tone="good" if done else "muted",
        incident="" if incident is None else incident.title,
        text=text,
    )


def used(act: ActKind, value: ButtonValue, incident: Incident | None, use: Use) -> LinkPage:
    """It acts once."""
    return LinkPage(
        title="This link was used",
        incident="" if incident is None else incident.title,
        facts=[("What", title(act, value)), ("By", use.person), ("At", f"{use.at:%Y-%m-%d %H:%M:%S} UTC")],
        text=use.answer or "It is being worked on.",
    )


def refused(reason: LinkReason) -> Response:
    """Says no more than a person needs."""
    status, said, text = _REFUSED.get(reason, _NOT_A_LINK)
    return html(LinkPage(title=said, text=text), status)


def html(page: LinkPage, status: int = 200) -> Response:
    """No copy is kept, no referrer sent, nothing loaded, framed or run."""
    body = _template().render(page=page, style=_style())
    return Response(body, status, headers=_headers(), media_type="text/html; charset=utf-8")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_file("link.html"))


@cache
def _style() -> str:
    return _file("link.css")


@cache
def _headers() -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'"
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow, noarchive",
    }


def _file(name: str) -> str:
    return files("alert_service.api").joinpath("pages", name).read_text()
