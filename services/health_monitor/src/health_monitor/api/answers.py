"""Answers written by the type that documents them, without the framework's detour over dictionaries."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from common.web.paging import Cursors, Page
from health_monitor.view.listing import Page as Found


@cache
def _writer(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def prepare(routers: Iterable[APIRouter]) -> None:
    """Make the writers of all routes. Each takes tens of milliseconds, which else the first request would cost all."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.response_model is not None:
                _writer(route.response_model)


def answer(shape: Any, value: Any, status: int = 200) -> Response:
    """`value` as JSON. It has to be of the shape, which is what the route declares as its response model."""
    return Response(_writer(shape).dump_json(value), status, media_type="application/json")


def answer_page(shape: type[Page[Any]], found: Found[Any], cursors: Cursors[Any]) -> Response:
    """A page of a list. It may be short, or empty, before the end: a client goes on while there is a cursor."""
    return answer_items(shape, found.items, None if found.next is None else cursors.encode(found.next))


def answer_items(shape: type[Page[Any]], items: Sequence[Any], next_cursor: str | None = None) -> Response:
    # Not validated: a page of a hundred objects of ours would cost more to check than to make.
    return answer(shape, shape.model_construct(items=list(items), next_cursor=next_cursor))
