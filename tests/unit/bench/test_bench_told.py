"""What the failover benchmark takes for a broken stream of events."""

from typing import Any

import pytest
from bench.told import Broken, fold, numbered


def told(change: str, name: str = "a", *, cursor: int = 1, event_id: str = "1") -> dict[str, Any]:
    finding = {"code": "pod-crash-loop", "object": {"kind": "Pod", "namespace": "shop", "name": name}, "part": "main"}
    return {"id": event_id, "cursor": cursor, "data": {"change": change, "finding": finding}}


def test_what_is_told_as_open() -> None:
    assert fold([told("opened"), told("changed"), told("opened", "b"), told("resolved")]) == {
        ("pod-crash-loop", "Pod", "shop", "b", "main")
    }


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(["opened", "opened"], id="opened twice"),
        pytest.param(["resolved"], id="resolved and never opened"),
        pytest.param(["changed"], id="changed and never opened"),
        pytest.param(["opened", "resolved", "resolved"], id="resolved twice"),
    ],
)
def test_an_event_that_does_not_fit_is_a_broken_stream(changes: list[str]) -> None:
    with pytest.raises(Broken, match="pod-crash-loop"):
        fold([told(change) for change in changes])


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        pytest.param([(1, "x"), (3, "y")], "gap", id="a cursor is missing"),
        pytest.param([(2, "x")], "gap", id="the first event is missing"),
        pytest.param([(1, "x"), (1, "y")], "gap", id="a cursor comes twice"),
        pytest.param([(1, "x"), (2, "x")], "twice", id="an event comes twice"),
    ],
)
def test_a_stream_with_gaps_or_repeats_is_broken(events: list[tuple[int, str]], complaint: str) -> None:
    with pytest.raises(Broken, match=complaint):
        numbered([told("opened", cursor=cursor, event_id=event_id) for cursor, event_id in events])
