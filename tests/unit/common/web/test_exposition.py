"""Metrics and the API's description are served to those who may read."""

import gzip

import pytest
from tests.support.web import READ_TOKEN, client_of, sample_app


@pytest.mark.parametrize(
    ("token", "open_", "status"),
    [
        pytest.param(None, False, 401, id="nobody"),
        pytest.param(READ_TOKEN, False, 200, id="a reader"),
        pytest.param(None, True, 200, id="nobody, when the settings open it"),
    ],
)
async def test_who_may_read_metrics(token: str | None, open_: bool, status: int) -> None:
    async with client_of(sample_app(metrics_open=open_), token) as client:
        assert (await client.get("/metrics")).status_code == status


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("*/*", "text/plain", id="a person"),
        pytest.param("application/openmetrics-text;version=1.0.0", "application/openmetrics-text", id="Prometheus"),
    ],
)
async def test_the_format_is_the_one_asked_for(accept: str, content_type: str) -> None:
    async with client_of(sample_app(), READ_TOKEN) as client:
        response = await client.get("/metrics", headers={"Accept": accept})

    assert response.headers["content-type"].startswith(content_type)
    assert "sample_build_info" in response.text


async def test_metrics_are_compressed_for_those_who_can_unpack_them() -> None:
    async with (
        client_of(sample_app(), READ_TOKEN) as client,
        client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as response,
    ):
        body = b"".join([chunk async for chunk in response.aiter_raw()])

    assert b"sample_build_info" in gzip.decompress(body)


async def test_the_description_is_for_readers() -> None:
    async with client_of(sample_app()) as client:
        assert (await client.get("/openapi.json")).status_code == 401
        described = (await client.get("/openapi.json", headers={"Authorization": f"Bearer {READ_TOKEN}"})).json()

    note = described["paths"]["/api/v1/notes"]["post"]
    assert set(note["responses"]) == {"201", "400", "401", "403", "413", "422", "503"}
    assert note["security"] == [{"HTTPBearer": []}]
    assert "ProblemDetails" in described["components"]["schemas"]
    assert "HTTPValidationError" not in str(described)
