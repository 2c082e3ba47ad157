"""A small service on the real application factory, and a client that speaks to it in process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from pydantic import BaseModel, Field

from common.database.errors import ConstraintViolated, DatabaseUnavailable, StatementTimeout, ValueRejected
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Authenticator, Identity, Scope, requires
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.probes import Probe
from common.web.problems import Problem, responses
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token

READ_TOKEN, _READ = new_token("reader", Scope.READ)
OPERATE_TOKEN, _OPERATE = new_token("operator", Scope.OPERATE)
ADMIN_TOKEN, _ADMIN = new_token("admin", Scope.ADMIN)
TOKENS = StaticTokens.parse("\n".join([_READ, _OPERATE, _ADMIN]))

ERRORS = {
    "bug": ZeroDivisionError("secret=hunter2"),
    "unavailable": DatabaseUnavailable("no server"),
    "slow": StatementTimeout("too long"),
    "taken": ConstraintViolated("the database refused a row", "uq_note_body"),
    "unstorable": ValueRejected("text holds half a surrogate pair"),
}
CURSORS = Cursors("numbers", tuple[int])


class Note(BaseModel):
    """What the sample service keeps."""

    title: Annotated[str, Field(min_length=1, max_length=50)]
    weight: Annotated[int, Field(ge=0, le=100)] = 0


def sample_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(requires(Scope.READ))])

    @router.get("/notes/{title}", responses=responses(404))
    async def read_note(title: str) -> Note:
        if title == "missing":
            raise Problem(404, "no such note", title_asked=title)
        return Note(title=title[:50] or "none")

    @router.post("/notes", status_code=201)
    async def write_note(note: Note, caller: Annotated[Identity, Depends(requires(Scope.OPERATE))]) -> Note:
        return note

    @router.get("/numbers")
    async def numbers(limit: Limit = 3, cursor: CursorText = None) -> Page[int]:
        start = (CURSORS.decode(cursor) or (-1,))[0] + 1
        rows = range(10)[max(0, start) : max(0, start) + limit + 1]
        return CURSORS.page(rows, limit, at=lambda row: (row,), item=lambda row: row)

    return router


def faulty_router() -> APIRouter:
    """Routes that fail in every way, for tests that look at one answer."""
    router = APIRouter(prefix="/faulty")

    @router.get("/errors/{name}")
    async def fail(name: str) -> None:
        raise ERRORS[name]

    @router.post("/raw")
    async def raw(request: Request, times: Annotated[int, Query()] = 1) -> int:
        return len(await request.body()) * times

    return router


def sample_app(
    *,
    authenticator: Authenticator = TOKENS,
    probes: Sequence[Probe] = (),
    metrics: ServiceMetrics | None = None,
    **settings: Any,
) -> FastAPI:
    """The sample service; `settings` override the web settings."""
    return create_app(
        "sample",
        "1.0",
        routers=[sample_router(), faulty_router()],
        authenticator=authenticator,
        probes=probes,
        metrics=metrics or ServiceMetrics("sample", "1.0"),
        settings=WebSettings(**settings),
    )


@asynccontextmanager
async def client_of(app: FastAPI, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sample", headers=headers) as client:
        yield client
