"""A PostgreSQL of the benchmark's own, as it comes: with every promise that a commit is on the disk."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from common.database import embedded


@contextlib.asynccontextmanager
async def temporary_postgres() -> AsyncIterator[str]:
    """Its URL."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user where this one is root
        server = await asyncio.to_thread(embedded.start, Path(folder) / "postgres")
        try:
            yield server.url
        finally:
            await asyncio.to_thread(server.close)
