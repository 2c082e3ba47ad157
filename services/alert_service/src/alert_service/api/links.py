"""Signed links of cards: looking at one changes nothing, a press of the button on its page acts, once.

Link previews and mail protections open every link, and some run what pages hold; none of them fills in who it is.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Path, Request, Response

from alert_service.api import link_pages
from alert_service.api.link_pages import Ask, LinkPage, html
from alert_service.api.services import AnyServices, Services, Stored
from alert_service.clicks.links import PATH, Link, LinkReason, LinkRefused
from alert_service.clicks.people import People
from alert_service.incidents.acts import ActKind, Person, Via
from alert_service.incidents.incident import Incident
from alert_service.incidents.values import ButtonValue
from alert_service.storage import incidents
from common.database.errors import DatabaseError
from common.web.auth import AuthenticationUnavailable, Authenticator
from common.web.queries import ANY_QUERY

router = APIRouter(prefix=PATH.rstrip("/"), tags=["links"])

# They change the cluster, in the name of a person: that a link was posted somewhere proves nobody.
_PROOF = frozenset({ActKind.APPROVE, ActKind.DENY})
_AWAY = LinkPage(title="Not now", text="The database does not answer. Nothing was done: try again soon.")
_GONE = LinkPage(title="Nothing is left of it", text="The incident is not kept any more.")

Token = Annotated[str, Path(description="The token of the link")]
_PAGE: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {"text/html": {"schema": {"type": "string"}}}}
    for status, what in (
        (200, "A page for people"),
        (403, "A page that says why the link does nothing"),
        (410, "A page that says that it has expired"),
        (503, "A page that says that the database does not answer"),
    )
}
_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {"person": {"type": "string"}, "token": {"type": "string"}}}
            }
        }
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A link that may be followed, and what it is about; None for an incident that is not kept any more."""

    link: Link
    value: ButtonValue
    stored: Stored
    incident: Incident | None


@router.get("/{token}", response_class=Response, responses=_PAGE, openapi_extra={ANY_QUERY: True})
async def show_link(request: Request, services: AnyServices, token: Token) -> Response:
    """The page of a link, which asks before it acts. Needs no token: the link is signed. Changes nothing."""
    try:
        opened = await _open(services, token)
        if isinstance(opened, Response):
            return opened
        if (use := await opened.stored.used_links.use(opened.link)) is not None:
            return html(link_pages.used(opened.link.act, opened.value, opened.incident, use))
        if opened.link.act is ActKind.EXPLAIN and opened.incident is not None:
            text = await opened.stored.performing.explain(opened.value.incident_id)
            return html(link_pages.answered(opened.link.act, opened.value, opened.incident, text, done=True))
    except DatabaseError:
        return html(_AWAY, 503)
    return _asked(request, services, opened)


@router.head("/{token}", include_in_schema=False)
async def look_at_link(request: Request, services: AnyServices, token: Token) -> Response:
    """As GET, without its body."""
    shown = await show_link(request, services, token)
    return Response(status_code=shown.status_code, headers=dict(shown.headers))


@router.post("/{token}", response_class=Response, responses=_PAGE, openapi_extra=_FORM)
async def follow_link(request: Request, services: AnyServices, token: Token) -> Response:
    """Do what the link is for, once; afterwards it says what was done. Approving and denying take a token, too."""
    if not _from_its_own_page(request):
        return link_pages.refused(LinkReason.MALFORMED)
    form = _form(await request.body())
    try:
        opened = await _open(services, token)
        if isinstance(opened, Response):
            return opened
        person = await _person(request, services, opened.link.act, form)
        if isinstance(person, str):
            return _asked(request, services, opened, text=person)
        return await _follow(services, opened, person)
    except DatabaseError:
        return html(_AWAY, 503)


async def _open(services: Services, token: str) -> _Opened | Response:
    """Raises DatabaseError."""
    if services.links is None:
        return link_pages.refused(LinkReason.UNKNOWN_KEY)
    try:
        link = services.links.read(token, services.now())
    except LinkRefused as error:
        services.refused("link", error.reason)
        return link_pages.refused(error.reason)
    value = ButtonValue.parse(link.value)
    if value is None:
        return link_pages.refused(LinkReason.MALFORMED)
    stored = services.storage.stored
    if stored is None:
        return html(_AWAY, 503)
    async with stored.database.begin() as connection:
        found = await incidents.by_ids(connection, [value.incident_id], lock=False)
    return _Opened(link=link, value=value, stored=stored, incident=found.get(value.incident_id))


def _asked(request: Request, services: Services, opened: _Opened, *, text: str = "") -> Response:
    """The page with the button; 403 when what was filled in does not do."""
    if opened.incident is None:
        return html(_GONE)
    ask = _ask(request, services, opened.link.act, opened.value)
    link, value, incident = opened.link, opened.value, opened.incident
    page = link_pages.confirm(link.act, value, incident, ask=ask, now=services.now(), text=text)
    return html(page, 403 if text else 200)


def _ask(request: Request, services: Services, act: ActKind, value: ButtonValue) -> Ask:
    label = link_pages.title(act, value)
    if services.person_header:
        return Ask(label=label)
    if act in _PROOF:
        return Ask(label=label, token=True)
    people = People.of(services.policy()).who_may(act)
    return Ask(label=label, name=True, people=[each.shown for _, each in people])


async def _person(request: Request, services: Services, act: ActKind, form: dict[str, str]) -> Person | str:
    """Who acts, or why that is not known. A name that nobody proved is shown as what it is."""
    people = People.of(services.policy())
    if header := services.person_header:
        said = request.headers.get(header, "")
        return people.by_identity(said) or f"The policy has nobody with the identity {said or '(none)'}."
    if act in _PROOF:
        if not (token := form.get("token", "").strip()):
            return "Give your token of this service: a name alone does not do here."
        try:
            identity = await _authenticator(request).authenticate(token)
        except AuthenticationUnavailable:
            return "Tokens cannot be checked at the moment: try again soon."
        return people.caller(identity) if identity is not None else "This token is not known."
    said = form.get("person", "").strip()
    found = people.called(said)
    if found is None:
        return f"The policy has nobody called {said}." if said else "Say who you are."
    return replace(found, shown=f"{found.shown} (by a link)")


async def _follow(services: Services, opened: _Opened, person: Person) -> Response:
    """Raises DatabaseError; then it may be tried again a minute later."""
    link, value, links = opened.link, opened.value, opened.stored.used_links
    use = await links.claim(link, person.shown, services.now())
    if use is not None:
        return html(link_pages.used(link.act, value, opened.incident, use))
    answer = await opened.stored.performing.act(value.act(link.act, by=person, via=Via.LINK, at=services.now()))
    if answer.changed:
        await links.used(link, _sentence(answer.text))
    else:  # it may be used still: by whoever may, or in better times
        await links.release(link)
    await opened.stored.deliveries.acted_on(link.channel, value.incident_id, services.now())
    return html(link_pages.answered(link.act, value, opened.incident, _sentence(answer.text), done=answer.changed))


def _authenticator(request: Request) -> Authenticator:
    found: Authenticator = request.app.state.authenticator
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _form(body: bytes) -> dict[str, str]:
    """What is no form says nothing."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0].replace("\0", "") for name, values in fields.items()}


def _from_its_own_page(request: Request) -> bool:
    """Whether no other site's page posts it: a browser says where a form stands, an old one at least whose it is.

    These pages send no referrer, for which some browsers say `null`.
    """
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    return origin == "null" or urlsplit(origin).netloc == request.headers.get("host")
