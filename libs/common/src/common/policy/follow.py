"""Looks after a policy file for as long as the service runs."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from common.policy.file import PolicyFile

logger = logging.getLogger(__name__)


async def follow(
    file: PolicyFile[Any], *, every_seconds: float, on_change: Callable[[], None], count: Callable[[str], None]
) -> None:
    """Until cancelled. A bad file changes nothing, and is told once; `count` hears `loaded` or `rejected`."""
    told = file.mistakes
    while True:
        await asyncio.sleep(every_seconds)
        if file.poll():
            count("loaded")
            logger.info("policy file %s is in force", file.path)
            on_change()
        elif file.mistakes and file.mistakes != told:
            count("rejected")
            for mistake in file.mistakes:
                logger.error("policy file %s, kept as it was: %s", file.path, mistake)
        told = file.mistakes
