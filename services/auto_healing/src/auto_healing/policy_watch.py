"""Looks after the policy file, and has everything looked at again when it changes."""

import asyncio
import logging
from collections.abc import Callable

from auto_healing.policy.file import PolicyFile

logger = logging.getLogger(__name__)


async def follow_policy(
    file: PolicyFile, *, every_seconds: float, on_change: Callable[[], None], count: Callable[[str], None]
) -> None:
    """Until cancelled. A bad file changes nothing, and is told once."""
    told = file.mistakes
    while True:
        await asyncio.sleep(every_seconds)
        if file.poll():
            count("taken")
            logger.info("the policy file has changed, and is followed from now on")
            on_change()
        elif file.mistakes and file.mistakes != told:
            count("refused")
            logger.error(
                "the policy file has mistakes, the last good one stays: %s", "; ".join(map(str, file.mistakes))
            )
        told = file.mistakes
