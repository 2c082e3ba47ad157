"""Where a service's database is: found by its URL, or started embedded; its tables brought up to date."""

import asyncio

from common.database import embedded
from common.database.embedded import EmbeddedPostgres
from common.database.engine import Target
from common.database.migrate import upgrade
from common.database.settings import DatabaseSettings


class DatabaseSource:
    """One service's place in it: `schema` is its own, `scripts` its Alembic location."""

    def __init__(self, settings: DatabaseSettings, *, schema: str, service: str, scripts: str) -> None:
        self._settings = settings
        self._schema = schema
        self._service = service
        self._scripts = scripts
        self._embedded: EmbeddedPostgres | None = None

    async def ready(self) -> Target:
        """Start or find it, and upgrade the tables. Raises DatabaseError, EmbeddedFailed, MigrationFailed."""
        target = Target.of(await self._url(), schema=self._schema, service=self._service)
        await upgrade(target, self._scripts)
        return target

    async def close(self) -> None:
        """An embedded one ends when nobody else holds it."""
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.close)

    async def _url(self) -> str:
        if self._settings.url is not None:
            return self._settings.url.get_secret_value()
        if self._embedded is None:
            folder = self._settings.folder or embedded.default_folder()
            self._embedded = await asyncio.to_thread(embedded.start, folder)
        return self._embedded.url
