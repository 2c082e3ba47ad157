"""Leader election: of several replicas one holds a Lease, renews it, and stops before another may take it.

As client-go does it (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection): no clocks of two machines are compared.
A Lease counts as expired when it has not changed for its duration by this machine's own monotonic clock.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from random import Random

import msgspec
import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.clock import Clock
from common.kube.api import Api
from common.kube.errors import Conflict, KubeError, NotFound

log = structlog.get_logger(__name__)


class LeaseSettings(BaseModel):
    """How long a replica leads without renewing, and how soon another takes over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    duration_seconds: int = Field(
        10, ge=3, description="A standby takes over when the leader has not renewed for this long"
    )
    renew_within_seconds: float = Field(
        7.0, gt=0, description="A leader that could not renew for this long steps down; less than the duration"
    )
    retry_seconds: float = Field(2.0, gt=0, description="Between two attempts to renew or to take over; jittered")

    @model_validator(mode="after")
    def _leader_gives_up_first(self) -> "LeaseSettings":
        if not self.retry_seconds < self.renew_within_seconds < self.duration_seconds:
            raise ValueError(
                "retry_seconds < renew_within_seconds < duration_seconds must hold, or two may lead at once"
            )
        return self


class LeaseSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class LeaseMeta(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    namespace: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class LeaseObject(msgspec.Struct, rename="camel"):
    metadata: LeaseMeta
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"


class Standing(StrEnum):
    """What one attempt came to."""

    LEADING = "leading"
    STANDBY = "standby"  # somebody else leads
    UNKNOWN = "unknown"  # the API server did not answer


class LeaderElection:
    """One replica's part in it. `identity` must be unique among the replicas, such as the pod's name and uid."""

    def __init__(
        self, api: Api, *, namespace: str, name: str, identity: str, settings: LeaseSettings, clock: Clock
    ) -> None:
        self.identity = identity
        self.leader = ""  # identity of whoever leads, as last seen
        self.term = 0  # how often the Lease has changed hands: rises with each new leader, for fencing
        self._api = api
        self._namespace = namespace
        self._name = name
        self._settings = settings
        self._clock = clock
        self._seen: LeaseObject | None = None
        self._seen_at = 0.0  # monotonic, when its current content was first seen
        self._leads_until = 0.0
        self._random = Random()  # noqa: S311 - it spreads requests and guards no secret

    @property
    def leading(self) -> bool:
        """Whether this replica may act right now: also False when it ought to have renewed and could not."""
        return self._clock.monotonic() < self._leads_until

    async def run(self, on_held: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Try to lead until cancelled, and tell when it begins and ends.

        The Lease is given back at the end, so that a standby need not wait.
        """
        held = False
        try:
            while True:
                await self.attempt()
                if self.leading != held:
                    held = self.leading
                    log.info("leading" if held else "not leading", lease=self._name, leader=self.leader, term=self.term)
                    (on_held if held else on_lost)()
                await asyncio.sleep(self._pause())
        finally:
            if held:
                on_lost()
            await asyncio.shield(self._release())

    async def attempt(self) -> Standing:
        """Renew, or take over when nobody renews. Says whether this replica leads now."""
        started = self._clock.monotonic()
        patience = self._leads_until - started if self.leading else self._settings.renew_within_seconds
        try:
            async with asyncio.timeout(patience):
                standing = await self._try()
        except Conflict:
            return Standing.UNKNOWN  # somebody wrote first; read it again next time
        except (KubeError, TimeoutError) as error:
            log.warning("lease out of reach", lease=self._name, reason=str(error) or "no answer in time")
            return Standing.UNKNOWN
        leads = standing is Standing.LEADING
        self._leads_until = started + self._settings.renew_within_seconds if leads else 0.0
        return standing

    async def _try(self) -> Standing:
        try:
            current: LeaseObject = await self._api.get(self._path, type_=LeaseObject)
        except NotFound:
            self._saw(await self._api.post(self._collection, self._claim(None), type_=LeaseObject))
            return Standing.LEADING
        self._saw(current)
        if self.leader not in {"", self.identity} and not self._expired(current.spec):
            return Standing.STANDBY
        self._saw(await self._api.put(self._path, self._claim(current), type_=LeaseObject))
        return Standing.LEADING

    def _saw(self, lease: LeaseObject) -> None:
        if self._seen is None or self._seen.spec != lease.spec:
            self._seen_at = self._clock.monotonic()
        self._seen = lease
        self.leader = lease.spec.holder_identity or ""
        self.term = lease.spec.lease_transitions or 0

    def _expired(self, spec: LeaseSpec) -> bool:
        duration = spec.lease_duration_seconds or self._settings.duration_seconds
        return self._clock.monotonic() - self._seen_at >= duration

    def _claim(self, current: LeaseObject | None) -> LeaseObject:
        """The Lease as this replica would have it. Its resourceVersion makes sure that nobody was quicker."""
        now = _micro_time(self._clock.now())
        spec = current.spec if current else LeaseSpec()
        mine = spec.holder_identity == self.identity
        metadata = current.metadata if current else LeaseMeta(name=self._name, namespace=self._namespace)
        return LeaseObject(
            metadata=metadata,
            spec=LeaseSpec(
                holder_identity=self.identity,
                lease_duration_seconds=self._settings.duration_seconds,
                acquire_time=spec.acquire_time if mine else now,
                renew_time=now,
                lease_transitions=(spec.lease_transitions or 0) + (0 if mine else 1),
            ),
        )

    async def _release(self) -> None:
        """Give it back if it is ours; on failure the others wait for it to expire."""
        if not self.leading or self._seen is None:
            return
        self._leads_until = 0.0
        spec = LeaseSpec(
            holder_identity="",
            lease_duration_seconds=1,
            renew_time=_micro_time(self._clock.now()),
            lease_transitions=self.term,
        )
        lease = LeaseObject(metadata=self._seen.metadata, spec=spec)
        try:
            await self._api.request("PUT", self._path, body=lease, timeout_seconds=self._settings.retry_seconds)
        except KubeError as error:
            log.warning("lease not given back", lease=self._name, reason=str(error))

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"

    def _pause(self) -> float:
        pause = self._settings.retry_seconds * self._random.uniform(0.8, 1.2)
        return min(pause, max(0.0, self._leads_until - self._clock.monotonic())) if self.leading else pause


def _micro_time(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


__all__ = ["LeaderElection", "LeaseSettings", "Standing"]
