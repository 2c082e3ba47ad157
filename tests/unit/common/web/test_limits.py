"""A body is as large as the limit allows, whether its length is announced or not."""

from collections.abc import AsyncIterator

import pytest
from tests.support.web import client_of, sample_app

LIMIT = 2048


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 500):
        yield b"x" * min(500, size - start)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)], ids=["as large as allowed", "one byte too large"]
)
async def test_size_of_the_body(size: int, status: int, announced: bool) -> None:
    async with client_of(sample_app(body_limit_bytes=LIMIT)) as client:
        response = await client.post("/faulty/raw", content=b"x" * size if announced else in_pieces(size))

    assert response.status_code == status
    if status == 413:
        assert response.json()["detail"].startswith("the body is larger than 2048 bytes")


async def test_a_body_where_none_belongs_is_limited_too() -> None:
    async with client_of(sample_app(body_limit_bytes=LIMIT)) as client:
        response = await client.request("GET", "/livez", content=b"x" * (LIMIT + 1))

    assert response.status_code == 413
