"""What the demo prints can be read: what happens to many objects at once is not told of each."""

from typing import Any

import pytest
from demo.screen import Screen


def an_event(name: str, code: str = "pod-evicted", change: str = "opened") -> Any:
    about = {"kind": "Pod", "namespace": "shop", "name": name}
    finding = {"severity": "warning", "code": code, "object": about, "message": "it was evicted"}
    return {"data": {"change": change, "storm": False, "finding": finding}}


def test_events_that_are_alike_are_one_line_and_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    for number in range(50):
        screen.event(an_event(f"storefront-{number}"))
    screen.event(an_event("queue-1", "pod-crash-loop"))
    screen.event(an_event("queue-2", "pod-crash-loop"))
    screen.chapter("The end")
    screen.event(an_event("storefront-0", change="resolved"))
    told = [line.split(" s  ")[1].strip() for line in capsys.readouterr().out.splitlines() if line]
    assert [line.split(":")[0].split("Pod ")[-1] for line in told] == [
        "shop/storefront-0",
        "(and 49 more)",
        "shop/queue-1",
        "(and 1 more)",
        "The end",
        "shop/storefront-0",
    ]
