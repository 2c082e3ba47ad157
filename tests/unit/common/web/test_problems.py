"""Every error is a problem of RFC 9457, names every mistake, and tells nothing it should not."""

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.web import ADMIN_TOKEN, client_of, sample_app

from common.web.problems import MEDIA_TYPE

JSON = {"Content-Type": "application/json"}


async def answer(method: str, path: str, **request: Any) -> httpx.Response:
    with capture_logs():
        async with client_of(sample_app(body_limit_bytes=2048), ADMIN_TOKEN) as client:
            return await client.request(method, path, **request)


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    [
        pytest.param("GET", "/api/v1/notes/missing", {}, 404, id="a thing that is not there"),
        pytest.param("GET", "/nowhere", {}, 404, id="a path that is not there"),
        pytest.param("GET", "/api/v1/notes/x/", {}, 404, id="a slash too many is not redirected"),
        pytest.param("PUT", "/api/v1/notes", {}, 405, id="a method that is not there"),
        pytest.param("GET", "/api/v1/numbers?limit=0", {}, 422, id="a number too small"),
        pytest.param("GET", f"/api/v1/numbers?limit={'9' * 5000}", {}, 422, id="a number of 5,000 digits"),
        pytest.param("GET", "/api/v1/numbers?cursor=%00", {}, 400, id="a NUL in the query"),
        pytest.param("GET", "/api/v1/notes/a%00b", {}, 400, id="a NUL in the path"),
        pytest.param(
            "POST", "/api/v1/notes", {"content": b'{"title"', "headers": JSON}, 422, id="half a JSON document"
        ),
        pytest.param(
            "POST", "/api/v1/notes", {"content": b'"\xff"', "headers": JSON}, 400, id="bytes that are not UTF-8"
        ),
        pytest.param("POST", "/api/v1/notes", {"content": b"[" * 2000, "headers": JSON}, 400, id="nested 2,000 deep"),
        pytest.param("POST", "/api/v1/notes", {"content": b"title: x"}, 422, id="no content type"),
        pytest.param("POST", "/api/v1/notes", {"data": {"title": "x"}}, 422, id="a form instead of JSON"),
        pytest.param("POST", "/api/v1/notes", {}, 422, id="no body at all"),
        pytest.param(
            "POST",
            "/api/v1/notes",
            {"content": b'{"title": "\\ud800"}', "headers": JSON},
            422,
            id="half a surrogate pair",
        ),
        pytest.param(
            "POST",
            "/api/v1/notes",
            {"content": b'{"title": "a", "weight": NaN}', "headers": JSON},
            422,
            id="not a number",
        ),
        pytest.param("GET", "/faulty/errors/unavailable", {}, 503, id="no database"),
        pytest.param("GET", "/faulty/errors/slow", {}, 503, id="a statement that took too long"),
        pytest.param("GET", "/faulty/errors/taken", {}, 409, id="a row that exists already"),
        pytest.param("GET", "/faulty/errors/unstorable", {}, 422, id="a value that PostgreSQL cannot hold"),
        pytest.param("GET", "/faulty/errors/bug", {}, 500, id="a defect of ours"),
    ],
)
async def test_every_error_is_a_problem(method: str, path: str, request_: dict[str, Any], status: int) -> None:
    response = await answer(method, path, **request_)

    problem = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        pytest.param({}, ("header", "/content-type"), id="as curl -d sends it, or without any"),
        pytest.param({"Content-Type": "text/plain"}, ("header", "/content-type"), id="as text"),
        pytest.param(JSON, ("body", "/weight"), id="as JSON"),
    ],
)
async def test_json_that_is_not_said_to_be_json(headers: dict[str, str], place: tuple[str, str]) -> None:
    problem = (await answer("POST", "/api/v1/notes", content=b'{"title": "a", "weight": "x"}', headers=headers)).json()

    assert [(each["location"], each["path"]) for each in problem["errors"]] == [place]


async def test_every_mistake_is_named_with_its_place() -> None:
    response = await answer("POST", "/api/v1/notes", json={"title": "", "weight": "heavy"})

    problem = response.json()
    assert problem["detail"] == "the request has 2 mistakes"
    assert [(each["location"], each["path"]) for each in problem["errors"]] == [("body", "/title"), ("body", "/weight")]
    assert "heavy" not in response.text


@pytest.mark.parametrize(
    ("query", "mistakes"),
    [
        pytest.param("limits=3", [("/limits", "no such parameter; did you mean limit?")], id="a slip of the pen"),
        pytest.param("x=1&x=2", [("/x", "no such parameter; known are cursor, limit")], id="one that means nothing"),
    ],
)
async def test_a_parameter_that_nobody_reads_is_a_mistake(query: str, mistakes: list[tuple[str, str]]) -> None:
    response = await answer("GET", f"/api/v1/numbers?{query}")

    assert response.status_code == 422
    assert [(each["path"], each["message"]) for each in response.json()["errors"]] == mistakes


async def test_a_problem_may_say_more() -> None:
    problem = (await answer("GET", "/api/v1/notes/missing")).json()

    assert problem["title_asked"] == "missing"
    assert problem["title"] == "Not Found"


async def test_whoever_comes_too_early_is_told_when_to_come_back() -> None:
    assert (await answer("GET", "/faulty/errors/unavailable")).headers["retry-after"] == "5"


async def test_a_method_that_is_not_there_names_those_that_are() -> None:
    response = await answer("PUT", "/api/v1/notes")

    assert response.headers["allow"] == "POST"
    assert response.json()["detail"] == "/api/v1/notes does not know PUT, but POST"


async def test_a_path_that_is_not_there_says_where_to_find_those_that_are() -> None:
    assert (await answer("GET", "/nowhere")).json()["detail"] == "there is no /nowhere; /openapi.json has every route"


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        pytest.param([], "", "must be a JSON object", id="a list"),
        pytest.param({}, "/title", "Field required", id="nothing in it"),
    ],
)
async def test_a_body_of_another_shape(body: Any, place: str, message: str) -> None:
    (mistake,) = (await answer("POST", "/api/v1/notes", json=body)).json()["errors"]

    assert (mistake["path"], mistake["message"]) == (place, message)
