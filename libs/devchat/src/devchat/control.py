"""The way to look at what happened, to make things happen, and to break them: JSON below /control."""

from typing import Any

import msgspec
from aiohttp import web

from devchat.faults import Fault
from devchat.record import Press
from devchat.slack import pressing
from devchat.state import STATE

ROUTES = web.RouteTableDef()


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


@ROUTES.get("/control/messages")
async def messages(request: web.Request) -> web.Response:
    asked = request.query
    shown = request.app[STATE].record.shown(
        asked.get("channel", ""), asked.get("vendor", ""), int(asked.get("after", 0))
    )
    return _json(list(shown))


@ROUTES.get("/control/exchanges")
async def exchanges(request: web.Request) -> web.Response:
    after = int(request.query.get("after", "0"))
    return _json([each for each in request.app[STATE].record.exchanges if each.number > after])


@ROUTES.get("/control/presses")
async def presses(request: web.Request) -> web.Response:
    return _json(list(request.app[STATE].record.presses))


@ROUTES.post("/control/press")
async def press(request: web.Request) -> web.Response:
    """{channel, id, button, user}: presses it. {url, headers, body}: posts just that."""
    state = request.app[STATE]
    asked: dict[str, Any] = await request.json()
    if "body" in asked:
        return _json(await pressing.send(state, msgspec.convert(asked, Press)))
    message = state.record.find(asked["channel"], asked["id"])
    if message is None:
        return web.Response(status=404, text="there is no such message")
    try:
        prepared = pressing.prepare(state, message, asked["button"], asked["user"])
    except pressing.NoButton as error:
        return web.Response(status=404, text=str(error))
    return _json(prepared if asked.get("only_prepare") else await pressing.send(state, prepared))


@ROUTES.post("/control/faults")
async def inject(request: web.Request) -> web.Response:
    try:
        fault = msgspec.json.decode(await request.read(), type=Fault)
    except msgspec.DecodeError as error:
        return web.Response(status=400, text=str(error))
    request.app[STATE].faults.injected.append(fault)
    return web.Response(status=204)


@ROUTES.delete("/control/faults")
async def mend(request: web.Request) -> web.Response:
    request.app[STATE].faults.injected.clear()
    return web.Response(status=204)


@ROUTES.post("/control/channels")
async def change_channels(request: web.Request) -> web.Response:
    """{archived: [...], left: [...]}: instead of what was so before."""
    state = request.app[STATE]
    asked = await request.json()
    state.archived, state.left = set(asked.get("archived", ())), set(asked.get("left", ()))
    return web.Response(status=204)


@ROUTES.patch("/control/settings")
async def change_settings(request: web.Request) -> web.Response:
    state = request.app[STATE]
    now = msgspec.to_builtins(state.settings) | await request.json()
    state.settings = msgspec.convert(now, type(state.settings))
    return _json(state.settings)


@ROUTES.delete("/control/record")
async def forget(request: web.Request) -> web.Response:
    request.app[STATE].clear()
    return web.Response(status=204)
