"""Errors over HTTP as RFC 9457 problem details, the same for every route and every cause."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from common.database.errors import ConstraintViolated, DatabaseError, ValueRejected

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_BLANK = "about:blank"
_SCHEMA = {"$ref": "#/components/schemas/ProblemDetails"}
_ALLOW = {405: {"Allow": {"description": "The methods there are", "schema": {"type": "string"}}}}


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    location: Annotated[str, Field(description="body, query, path or header", examples=["query"])]
    path: Annotated[str, Field(description="JSON pointer to the value within the location", examples=["/limit"])]
    message: Annotated[str, Field(description="What it should be", examples=["At most 500"])]


class ProblemDetails(BaseModel):
    """What went wrong, as RFC 9457 defines it."""

    type: Annotated[str, Field(description="Kind of problem; about:blank says no more than the status")] = _BLANK
    title: Annotated[str, Field(description="The same for every problem of the kind", examples=["Not Found"])]
    status: Annotated[int, Field(description="The HTTP status", examples=[404])]
    detail: Annotated[str, Field(description="What happened here, and what to do about it")]
    request_id: Annotated[str, Field(description="To be found in the logs; also in the header X-Request-Id")]
    errors: Annotated[list[Mistake] | None, Field(description="Every mistake in the request")] = None


class Problem(HTTPException):
    """Raise it anywhere below a route. `extra` becomes further members of the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mistake] = (),
        **extra: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.errors = errors
        self.extra = extra

    def response(self, request_id: str) -> Response:
        """The answer, as bytes that hold whatever a client sent, half surrogate pairs included, in escaped form."""
        members: dict[str, Any] = {
            "type": _BLANK,
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
            "request_id": request_id,
            **self.extra,
        }
        if self.errors:
            members["errors"] = [error.model_dump() for error in self.errors]
        content = json.dumps(members).encode()
        return Response(content, self.status_code, headers=self.headers, media_type=MEDIA_TYPE)


def wrong_request(*mistakes: Mistake) -> Problem:
    """422, with what is wrong with the request."""
    return Problem(422, f"the request has {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}", errors=mistakes)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of problems a route may answer with: `@router.get(..., responses=responses(404))`."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
            **({"headers": _ALLOW[status]} if status in _ALLOW else {}),
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every known error of the application as a problem. What is unknown is caught further out."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(DatabaseError, _on_database)


def request_id_of(scope: Mapping[str, Any]) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if not isinstance(error, Problem):
        headers = _with_all_methods(request, error)
        error = Problem(error.status_code, _detail(request, error, headers or {}), headers=headers)
    return error.response(request_id_of(request.scope))


def _detail(request: Request, error: HTTPException, headers: Mapping[str, str]) -> str:
    """What to do about what the framework itself refuses."""
    path = request.url.path
    if error.status_code == 404:
        return f"there is no {path}; /openapi.json has every route"
    if error.status_code == 405:
        return f"{path} does not know {request.method}, but {headers.get('Allow', 'other methods')}"
    return str(error.detail)


def _with_all_methods(request: Request, error: HTTPException) -> Mapping[str, str] | None:
    """The headers; of a 405 with every method that the path has, where the framework names those of one route."""
    path = getattr(request.scope.get("route"), "path", None)
    described: Mapping[str, Any] = request.app.openapi()["paths"].get(path, {}) if error.status_code == 405 else {}
    return {"Allow": ", ".join(sorted(method.upper() for method in described))} if described else error.headers


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    mistakes = [_mistake(each, error.body) for each in error.errors()]
    if _body_is_no_json(request, error):
        mistakes = [Mistake(location="header", path="/content-type", message="send JSON, as application/json")]
    return wrong_request(*mistakes).response(request_id_of(request.scope))


def _body_is_no_json(request: Request, error: RequestValidationError) -> bool:
    """Whether the framework left the body as it was, so that all that is wrong may be what it is said to be."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return isinstance(error.body, bytes) and said != "application/json" and not said.endswith("+json")


async def _on_database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DatabaseError)  # noqa: S101
    return _database_problem(error).response(request_id_of(request.scope))


def _database_problem(error: DatabaseError) -> Problem:
    if isinstance(error, ValueRejected):
        return Problem(422, str(error))
    if isinstance(error, ConstraintViolated):
        return Problem(409, str(error))
    logger.warning("the database did not answer: %s", error)
    return Problem(503, "the database does not answer at the moment; the log says why", headers={"Retry-After": "5"})


def _mistake(error: Mapping[str, Any], body: Any) -> Mistake:
    """One pydantic error, without the input, which may be a secret."""
    location, *path = error["loc"]
    if error["type"] == "json_invalid":
        return Mistake(location="body", path="", message=f"not JSON: {error['ctx']['error']}, at character {path[0]}")
    message = str(error["msg"]).removeprefix("Value error, ")
    if location == "body":
        path = _sent(path, body, missing=error["type"] == "missing")
    if error["type"] == "model_attributes_type":
        message = "must be a JSON object"
    if error["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        path.append(str(error["ctx"]["discriminator"]).strip("'"))
        known = error["ctx"].get("expected_tags")
        message = f"must be one of {known}" if known else "Field required"
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    # model_construct: a key that the client made up may hold half a surrogate pair, which pydantic would refuse.
    return Mistake.model_construct(location=str(location), path=pointer, message=message)


def _sent(path: Sequence[str | int], body: Any, *, missing: bool) -> list[str | int]:
    """The way through what was sent: pydantic also names the member of a union that it chose, or a key's key."""
    way: list[str | int] = []
    for number, step in enumerate(path, start=1):
        if isinstance(body, Mapping) and step not in body and not (missing and number == len(path)):
            continue
        way.append(step)
        body = body[step] if isinstance(body, Mapping) and step in body else None
    return way
