"""auto_healing with a clock that can be set: the calendar is off by the seconds in a file, the stopwatch goes on.

As a program it serves as `auto-healing serve` does; the file is named by SHIFTED_CLOCK.
"""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.healing_service import HealingService

from auto_healing.app import App
from auto_healing.metrics import SERVICE
from auto_healing.settings import HealingSettings
from common import logs
from common.cli.serve import announcer, serve_until_stopped
from common.clock import SystemClock
from common.hosting import ground
from common.settings import read

VARIABLE = "SHIFTED_CLOCK"

POLICY = """
version: 1
mode: observe
scope: {{opt_in: false}}
rules:
  - name: crash-loop
    mode: {mode}
    match: {{codes: [pod-crash-loop], levels: [pod]}}
    ladder: [{{action: delete-pod, verify: 1m}}, call-a-human]
{guards}
"""


class ShiftedClock(SystemClock):
    """The machine's clocks, with the calendar set by somebody."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(self._file.read_text() or 0))


class Calendar:
    """What a healer's clock is off by."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "shift"

    def set(self, shift: timedelta) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(str(shift.total_seconds()))
        new.replace(self.file)  # whole at any moment


class ShiftedHealing(HealingService):
    """Its process is this module."""

    module = "tests.support.healing_shifted"


async def run(settings: HealingSettings, stop: asyncio.Event) -> None:
    clock = ShiftedClock(Path(os.environ[VARIABLE]))
    async with ground(SERVICE, web=settings.web, cluster=settings.cluster) as here:
        app = App(settings, replace(here, clock=clock))
        here.announce(announcer("auto-healing", "/api/v1/runs"))
        await app.run(stop)


def main() -> int:
    settings = read(HealingSettings)
    logs.configure(settings.log.level)
    return serve_until_stopped(lambda stop: run(settings, stop))


if __name__ == "__main__":
    sys.exit(main())
