import base64

import pytest
from tests.support.web import CURSORS, READ_TOKEN, client_of, sample_app

from common.web.paging import Cursors
from common.web.problems import Problem

NODES = Cursors("nodes by score", tuple[float, str])


async def test_pages_lead_to_every_item_once() -> None:
    seen, cursor = [], None
    async with client_of(sample_app(), READ_TOKEN) as client:
        while True:
            page = (await client.get("/api/v1/numbers", params={"cursor": cursor} if cursor else {})).json()
            seen += page["items"]
            if (cursor := page["next_cursor"]) is None:
                break

    assert seen == list(range(10))


def test_a_position_comes_back_as_it_was() -> None:
    assert NODES.decode(NODES.encode((41.5, "node-é"))) == (41.5, "node-é")
    assert NODES.decode(None) is None


@pytest.mark.parametrize(
    ("cursor", "message"),
    [
        pytest.param("", "not a cursor", id="empty"),
        pytest.param("!!!", "not a cursor", id="not base64"),
        pytest.param("bm9uc2Vuc2U", "not a cursor", id="not JSON"),
        pytest.param("é" * 8, "not a cursor", id="not even ASCII"),
        pytest.param(
            base64.urlsafe_b64encode(b'["nodes by score", ["high", 3]]').decode(), "not a cursor", id="of other types"
        ),
        pytest.param(CURSORS.encode((3,)), "not a cursor", id="of another shape"),
        pytest.param(
            Cursors("pods", tuple[float, str]).encode((1.0, "x")), "belongs to the list pods", id="of another list"
        ),
    ],
)
def test_anything_else_is_refused(cursor: str, message: str) -> None:
    with pytest.raises(Problem) as caught:
        NODES.decode(cursor)

    assert caught.value.status_code == 422
    assert message in str(caught.value.detail)


@pytest.mark.parametrize(
    ("rows", "items", "more"),
    [
        pytest.param([1, 2, 3], [1, 2], True, id="one row too many tells that there is more"),
        pytest.param([1, 2], [1, 2], False, id="a full last page"),
        pytest.param([], [], False, id="nothing at all"),
    ],
)
def test_a_page_knows_whether_it_is_the_last(rows: list[int], items: list[int], more: bool) -> None:
    page = CURSORS.page(rows, 2, at=lambda row: (row,), item=lambda row: row)

    assert page.items == items
    assert (page.next_cursor is not None) is more
