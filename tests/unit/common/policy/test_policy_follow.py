"""Following the policy file: a good change is taken, a bad one is told once."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from auto_healing.plan import Mode
from auto_healing.policy.file import PolicyFile
from common.policy.follow import follow

GOOD, BETTER, BAD = "{version: 1}", "{version: 1, mode: auto}", "{version: 1, mode: everything}"


class Followed:
    """A file that is followed, and what was said of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(GOOD, encoding="utf-8")
        self.file = PolicyFile.open(path)
        self.changes = 0
        self.counts: Counter[str] = Counter()
        self.looks = 0
        self._poll = self.file.poll
        self.file.poll = self._look  # type: ignore[method-assign]

    def _look(self) -> bool:
        self.looks += 1
        return self._poll()

    def changed(self) -> None:
        self.changes += 1

    def count(self, outcome: str) -> None:
        self.counts[outcome] += 1

    async def looked_at(self, times: int = 3) -> None:
        """Until it was looked at so many times more."""
        until = self.looks + times

        async def enough() -> bool:
            return self.looks >= until

        await eventually(enough)


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[Followed]:
    followed = Followed(folder / "policy.yaml")
    task = asyncio.create_task(
        follow(followed.file, every_seconds=0.001, on_change=followed.changed, count=followed.count)
    )
    try:
        yield followed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_change_is_taken_and_everything_is_looked_at_again(tmp_path: Path) -> None:
    async with following(tmp_path) as followed:
        await followed.looked_at()
        assert (followed.changes, followed.counts) == (0, {})

        followed.path.write_text(BETTER, encoding="utf-8")
        await followed.looked_at()

    assert followed.file.policy.mode is Mode.AUTO
    assert (followed.changes, followed.counts) == (1, {"loaded": 1})


async def test_a_bad_file_keeps_the_last_good_policy_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with following(tmp_path) as followed:
        with caplog.at_level(logging.ERROR):
            followed.path.write_text(BAD, encoding="utf-8")
            await followed.looked_at(5)

    assert followed.file.policy.mode is Mode.OBSERVE
    assert (followed.changes, followed.counts) == (0, {"rejected": 1})
    assert len(caplog.records) == 1
    assert "mode" in caplog.text


async def test_a_file_that_is_mended_is_taken_and_bad_again_is_told_again(tmp_path: Path) -> None:
    async with following(tmp_path) as followed:
        for content in (BAD, BETTER, BAD):
            followed.path.write_text(content, encoding="utf-8")
            await followed.looked_at()

    assert followed.counts == {"rejected": 2, "loaded": 1}
    assert followed.file.policy.mode is Mode.AUTO
