"""The right to begin to lead: a Lease in Kubernetes, or a row in the database."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal, Protocol
from uuid import uuid4

from pydantic import BaseModel, Field
from sqlalchemy import Table, func, update

from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.kube.api import Api
from common.kube.lease import LeaderElection, LeaseSettings

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class LeaderSettings(BaseModel):
    """Which of several replicas acts."""

    election: Annotated[
        Literal["auto", "lease", "database"],
        Field(description="lease: a Kubernetes Lease; database: a row in the database; auto: lease in a pod."),
    ] = "auto"
    lease: Annotated[str, Field(description="Name of the Lease.", min_length=1, max_length=253)]
    namespace: Annotated[str, Field(description="Namespace of the Lease. Default: the pod's own", max_length=63)] = ""


class Lock(Protocol):
    """The right to begin to lead; at most one replica has it, as far as the keeper of the lock can tell."""

    @property
    def leading(self) -> bool:
        """Whether it is held right now, by this machine's monotonic clock: also False when it should have been renewed
        and was not, even if nobody has been told yet."""

    async def run(self, on_held: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Try to hold the lock until cancelled; then give it back."""


class DatabaseLock:
    """A lock in the database itself, for replicas that run outside of a cluster. It expires by the database's clock.

    `election` is a table of one row with the columns holder and expires_at.
    """

    def __init__(
        self,
        database: Database,
        election: Table,
        *,
        identity: str,
        ttl_seconds: float = 8.0,
        renew_seconds: float = 2.0,
    ) -> None:
        self._database = database
        self._election = election
        self._identity = identity
        self._ttl_seconds = ttl_seconds
        self._renew_seconds = renew_seconds
        self._held_until = 0.0

    @property
    def leading(self) -> bool:
        return monotonic() < self._held_until

    async def run(self, on_held: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Take and renew the lock until cancelled; then let the next one have it at once."""
        try:
            while True:
                await self._attempt()
                (on_held if self.leading else on_lost)()
                await asyncio.sleep(self._renew_seconds)
        finally:
            with suppress(DatabaseError):
                await self._release()

    async def _attempt(self) -> None:
        """Without an answer it is held for as long as it was to be: by then others may take it."""
        asked = monotonic()
        patience = self._held_until - asked if self.leading else self._ttl_seconds
        with suppress(DatabaseError, TimeoutError):
            async with asyncio.timeout(patience):
                renewed = await self._renewed()
            self._held_until = asked + self._ttl_seconds if renewed else 0.0

    async def _renewed(self) -> bool:
        """Take or renew it. Who held it last may renew it late, as long as nobody else has taken it."""
        now, election = func.clock_timestamp(), self._election
        async with self._database.begin() as connection:
            taken = await connection.execute(
                update(election)
                .where((election.c.holder == self._identity) | (election.c.expires_at < now))
                .values(holder=self._identity, expires_at=now + func.make_interval(0, 0, 0, 0, 0, 0, self._ttl_seconds))
            )
        return taken.rowcount > 0

    async def _release(self) -> None:
        election = self._election
        async with self._database.begin() as connection:
            await connection.execute(
                update(election).where(election.c.holder == self._identity).values(expires_at=func.clock_timestamp())
            )


def lock_for(
    settings: LeaderSettings, database: Database, election: Table, *, identity: str, api: Api, clock: Clock
) -> Lock:
    """A Lease where there is a pod, else a row in the database."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    if settings.election == "database" or (settings.election == "auto" and not in_pod):
        return DatabaseLock(database, election, identity=identity)
    return LeaderElection(
        api,
        namespace=settings.namespace or _own_namespace(),
        name=settings.lease,
        identity=identity,
        settings=LeaseSettings(),
        clock=clock,
    )


def replica_identity() -> str:
    """What this process is called among its replicas; another start is another one."""
    return f"{socket.gethostname()}_{uuid4().hex[:8]}"


def _own_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return "default"
