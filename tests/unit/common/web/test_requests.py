"""Each request has an id, a measured time and a line in the access log."""

import re

import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.web import ADMIN_TOKEN, READ_TOKEN, client_of, sample_app

from common.metrics import ServiceMetrics


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param("req-12345678", True, id="a sane id"),
        pytest.param("short", False, id="too short to be unique"),
        pytest.param("x" * 65, False, id="too long"),
        pytest.param("abcdefgh\tx", False, id="with a control character"),
        pytest.param('abcdefgh"}', False, id="with quotes"),
    ],
)
async def test_an_id_is_kept_when_it_does_no_harm(sent: str, kept: bool) -> None:
    async with client_of(sample_app()) as client:
        response = await client.get("/livez", headers={"X-Request-Id": sent})

    returned = response.headers["x-request-id"]
    assert (returned == sent) is kept
    assert kept or re.fullmatch(r"[0-9a-f]{32}", returned)


async def test_time_is_measured_by_route_and_not_by_what_clients_make_up() -> None:
    metrics = ServiceMetrics("sample", "1")
    async with client_of(sample_app(metrics=metrics), READ_TOKEN) as client:
        for path in ("/api/v1/notes/a", "/api/v1/notes/b", "/nowhere/1", "/nowhere/2"):
            await client.get(path)

    def count(route: str, status: str) -> float | None:
        labels = {"method": "GET", "route": route, "status": status}
        return metrics.registry.get_sample_value("sample_http_request_seconds_count", labels)

    assert count("/api/v1/notes/{title}", "200") == 2
    assert count("unmatched", "404") == 2


async def test_the_access_log_says_who_asked_for_what() -> None:
    with capture_logs() as lines:
        async with client_of(sample_app(), ADMIN_TOKEN) as client:
            await client.post("/api/v1/notes?token=hunter2", json={"title": "x"})

    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"], line["who"]) == ("POST", "/api/v1/notes", 201, "admin")
    assert line["ms"] >= 0


async def test_what_machines_ask_every_few_seconds_is_not_news() -> None:
    with capture_logs() as lines:
        async with client_of(sample_app()) as client:
            await client.get("/livez")

    assert [line["log_level"] for line in lines] == ["debug"]


async def test_a_defect_is_logged_once_with_the_request_it_broke() -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with client_of(sample_app()) as client:
            response = await client.get("/faulty/errors/bug")

    failures = [line for line in lines if line.get("exc_info")]
    assert len(failures) == 1
    assert failures[0]["request_id"] == response.json()["request_id"]


async def test_a_client_that_hangs_up_is_no_defect() -> None:
    statuses = []

    async def hang_up() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        statuses.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/faulty/raw",
        "raw_path": b"/faulty/raw",
        "query_string": b"",
        "headers": [],
        "client": ("10.0.0.9", 1),
    }
    with capture_logs() as lines:
        await sample_app()(scope, hang_up, send)

    assert [(line["event"], line["status"], line["client"]) for line in lines] == [("request", 499, "10.0.0.9")]
    assert statuses == []
