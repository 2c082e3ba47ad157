"""`python -m bench.probed FILE`: the service with a probe on its event loop, which writes to FILE what it saw.

A look is due every 5 ms. All that are due while the loop is busy count, each with its own wait: what a request would
suffer that comes at any moment, and not only once for each stall.
"""

import asyncio
import sys
import time
from array import array
from pathlib import Path

from common import logs
from common.settings import read
from common.web import serve
from health_monitor import app
from health_monitor.settings import MonitorSettings

EVERY_SECONDS = 0.005


async def probe(seen: "array[float]") -> None:
    """Appends pairs: when a look was due by the machine's monotonic clock, and how late it came, in seconds."""
    clock = time.monotonic  # the clock of all processes, so that windows can be cut out
    due = clock() + EVERY_SECONDS
    while True:
        await asyncio.sleep(due - clock())
        now = clock()
        while due <= now:
            seen.extend((due, now - due))
            due += EVERY_SECONDS


def lags(file: Path, start: float, end: float) -> list[float]:
    """How late the looks were that were due between two instants, in seconds."""
    seen = array("d")
    seen.frombytes(file.read_bytes())
    return [late for due, late in zip(seen[0::2], seen[1::2], strict=True) if start <= due < end]


def main(file: Path) -> int:
    settings = read(MonitorSettings)
    logs.configure(settings.log.level)
    seen = array("d")

    async def serve_probed(stop: asyncio.Event) -> int:
        probing = asyncio.create_task(probe(seen))
        try:
            await app.run(settings, stop, lambda _url, _token: None)
        finally:
            probing.cancel()
            file.write_bytes(seen.tobytes())
        return 0

    return serve.run(serve_probed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
