"""All servers in one web application, with the record and the faults around them."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from devchat import control, hooks, pages
from devchat.crawlers import Crawlers
from devchat.faults import Fault
from devchat.record import Exchange
from devchat.slack import responses, web_api, webhooks
from devchat.state import STATE, State
from devchat.teams import workflows

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_BODY_LIMIT = 4 * 1024 * 1024


def create_app(state: State) -> web.Application:
    app = web.Application(middlewares=[_watched], client_max_size=_BODY_LIMIT)
    app[STATE] = state
    app.router.add_post("/slack/api/{method}", web_api.handle, name="slack.api")
    app.router.add_post("/slack/services/{team}/{hook}/{secret}", webhooks.handle, name="slack.webhook")
    app.router.add_post("/slack/actions/{team}/{secret}", responses.handle, name="slack.response_url")
    app.router.add_post("/teams/workflows/{flow}/triggers/manual/paths/invoke", workflows.handle, name="teams.workflow")
    app.router.add_post("/hooks/{channel}", hooks.handle, name="hook")
    app.router.add_routes(control.ROUTES)
    app.router.add_routes(pages.ROUTES)
    crawlers = Crawlers(state)
    state.on_post = crawlers.visit
    app.on_cleanup.append(crawlers.close)
    return app


@web.middleware
async def _watched(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Requests to the vendors are recorded, and meet the faults that are injected."""
    named = request.match_info.route.name
    if named is None:
        return await handler(request)
    state = request.app[STATE]
    endpoint = f"slack.{request.match_info['method']}" if named == "slack.api" else named
    body = await request.text()
    exchange = Exchange(
        number=state.record.next_number(),
        at=time.time(),
        endpoint=endpoint,
        channel=_channel(state, request, body),
        body=body,
        status=0,
        answer="",
    )
    state.record.exchanges.append(exchange)
    fault = state.faults.meet(endpoint, exchange.channel)
    answer = await handler(request) if fault is None else await _faulty(request, handler, exchange, fault)
    exchange.status = answer.status
    exchange.answer = answer.text or "" if isinstance(answer, web.Response) else ""
    return answer


async def _faulty(request: web.Request, handler: Handler, exchange: Exchange, fault: Fault) -> web.StreamResponse:
    exchange.fault = fault.kind
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
        return await handler(request)
    if fault.kind == "error":
        return web.json_response({"ok": False, "error": fault.error})
    if fault.kind == "status":
        exchange.retry_after = fault.retry_after
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return web.json_response(
            {"ok": False, "error": fault.error or "ratelimited"}, status=fault.status, headers=headers
        )
    if fault.kind == "swallow":
        return _swallowed(exchange)
    if fault.kind == "cut-after":
        await handler(request)
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError("cut off, as asked for")


def _swallowed(exchange: Exchange) -> web.Response:
    """As if it had been posted."""
    if exchange.endpoint == "teams.workflow":
        return web.Response(status=202)
    if exchange.endpoint.startswith("slack.chat."):
        return web.json_response({"ok": True, "channel": "C0SWALLOWED", "ts": "1.000001", "message": {}})
    return web.Response(text="ok")


def _channel(state: State, request: web.Request, body: str) -> str:
    """The channel's name, where the request tells it."""
    found = request.match_info
    if "flow" in found:
        return found["flow"].removesuffix("-responds")
    if "hook" in found:
        return found["secret"].removesuffix("-secret")
    if "channel" in found:
        return found["channel"]
    try:
        named = json.loads(body).get("channel", "")
    except (ValueError, AttributeError):
        return ""
    return state.channel_named(str(named)) or ""
