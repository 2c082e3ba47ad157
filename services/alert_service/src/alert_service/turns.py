"""Long work in short turns: whoever clicks or posts meanwhile must not wait for a batch of hundreds."""

import asyncio
from time import monotonic

_LONGEST_SECONDS = 0.01


class Turns:
    """Awaited between the parts of long work, it lets others have their turn once this one has lasted long enough."""

    def __init__(self) -> None:
        self._since = monotonic()

    async def over(self) -> None:
        if monotonic() - self._since >= _LONGEST_SECONDS:
            await asyncio.sleep(0)
            self._since = monotonic()
