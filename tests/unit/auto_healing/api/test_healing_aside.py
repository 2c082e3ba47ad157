"""Long work beside the event loop."""

import gc
import sys

import pytest

from auto_healing.api.aside import SWITCH_SECONDS, aside


def settings() -> tuple[bool, float]:
    return gc.isenabled(), round(sys.getswitchinterval(), 6)


async def test_the_work_gives_way_to_the_event_loop_and_leaves_the_process_as_it_was() -> None:
    before = settings()
    assert await aside(settings) == (False, SWITCH_SECONDS)
    assert settings() == before


async def test_work_that_fails_leaves_the_process_as_it_was_too() -> None:
    before = settings()
    with pytest.raises(ZeroDivisionError):
        await aside(divmod, 1, 0)
    assert settings() == before
