"""Compares with Alertmanager now and then: opens what was missed, and closes what it does not know any more."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from uuid import uuid4

from sqlalchemy import select

from alert_service.clients.alertmanager import AlertGroup, Alertmanager
from alert_service.clients.asking import Refused, Unavailable
from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.posts import key_of
from alert_service.incidents.settle import Settled
from alert_service.incidents.settling import Settling
from alert_service.intake.heartbeat import Beats, Heartbeats
from alert_service.policy import AlertPolicy
from alert_service.reconciling.reconcile import Difference, There, absent, differences, put_right
from alert_service.reconciling.route_tree import RoutesUnreadable, root_of
from alert_service.routing.family import Due
from alert_service.settings import AlertmanagerSettings
from alert_service.storage import incidents
from alert_service.storage.firing import Firing, firing, hollow
from alert_service.storage.models import incident
from alert_service.turns import Turns
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_BATCH = 100
_NEWEST = 1000  # incidents whose receivers are known to post here


class Reconciler:
    """Run by the leader. `on_settled` is told of what became of each incident, once that is committed."""

    def __init__(
        self,
        database: Database,
        settling: Settling,
        alertmanager: Alertmanager,
        clock: Clock,
        *,
        settings: AlertmanagerSettings,
        policy: Callable[[], AlertPolicy],
        on_settled: Callable[[Sequence[Settled]], None],
    ) -> None:
        self._database = database
        self._settling = settling
        self._alertmanager = alertmanager
        self._clock = clock
        self._settings = settings
        self._policy = policy
        self._on_settled = on_settled
        self._absent: dict[tuple[str, str], datetime] = {}
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
                self._complaint.over()
            except (Unavailable, Refused, RoutesUnreadable, DatabaseError) as error:
                self._absent = {}  # what is absent has to be so at every look
                self._complaint.warn(f"incidents are not compared with Alertmanager: {error}")
            await asyncio.sleep(self._settings.reconcile_seconds)

    async def look(self) -> int:
        """One comparison; how many incidents were put right. Raises Unavailable, Refused, RoutesUnreadable and
        DatabaseError."""
        configuration = (await self._alertmanager.status()).config.original
        now = self._clock.now()
        groups = await self._alertmanager.groups()
        async with self._database.begin() as connection:
            here = await firing(connection, Source.ALERTMANAGER) + await hollow(connection, Source.ALERTMANAGER)
        receivers = self._settings.receivers or await self._heard_of()
        found = await asyncio.to_thread(self._compared, configuration, groups, here, receivers, now)
        put, rest = 0, iter(found.items())
        while some := dict(islice(rest, _BATCH)):
            put += await self._put_right(some)
        return put

    def _compared(
        self,
        configuration: str,
        groups: Sequence[AlertGroup],
        here: Sequence[Firing],
        receivers: Collection[str],
        now: datetime,
    ) -> dict[str, Difference]:
        """In a thread: to match ten thousand alerts with the routes takes seconds, which nobody's click must wait."""
        root, policy = root_of(configuration), self._policy()
        there = [each for group in groups for each in _there(group)]
        beats, told = _without_heartbeats(there, policy, now)
        # It has not heard from Prometheus since its own restart, perhaps: what it does not know may fire all the same.
        hears_nothing = bool(policy.heartbeats) and not beats
        self._absent = {} if hears_nothing else absent(here, there, root, self._absent, now=now)
        return differences(here, told, root, receivers=receivers, absent_since=self._absent, now=now)

    async def _heard_of(self) -> frozenset[str]:
        """The receivers of those that posted lately."""
        newest = (
            select(incident.c.value["receiver"].astext.label("receiver"))
            .where(incident.c.source == Source.ALERTMANAGER)
            .order_by(incident.c.opened_at.desc())
            .limit(_NEWEST)
            .subquery()
        )
        async with self._database.begin() as connection:
            return frozenset((await connection.execute(select(newest.c.receiver).distinct())).scalars())

    async def _put_right(self, found: Mapping[str, Difference]) -> int:
        now, policy = self._clock.now(), self._policy()
        keys = {key_of(Source.ALERTMANAGER, group): group for group in found}
        async with self._database.begin() as connection:
            newest = await incidents.newest_of(connection, keys.keys())
            dues, turns = [], Turns()
            for key, group in keys.items():
                await turns.over()
                before = newest.get(key)
                done = put_right(before, group, found[group], policy, now=now, new_id=uuid4())
                if done is not None:
                    same = before is not None and before.id == done.incident.id
                    dues.append(Due(before=before if same else None, done=done))
            settled = await self._settling.store(connection, dues, now) if dues else []
        if settled:
            self._on_settled(settled)
        return len(dues)


def _without_heartbeats(there: Sequence[There], policy: AlertPolicy, now: datetime) -> tuple[Beats, list[There]]:
    """Those always fire, and nobody is told of them."""
    post = Post(source=Source.ALERTMANAGER, group_key="", alerts=[each.alert for each in there])
    beats, alerts = Heartbeats(policy).split(post, at=now)
    return beats, [each for each, alert in zip(there, alerts, strict=True) if alert.status is AlertStatus.FIRING]


def _there(group: AlertGroup) -> list[There]:
    return [
        There(
            alert=Alert(
                fingerprint=each.fingerprint,
                status=AlertStatus.FIRING,
                labels=each.labels,
                annotations=each.annotations,
                starts_at=each.starts_at,
                generator_url=each.generator_url,
            ),
            receiver=group.receiver.name,
            group_labels=group.labels,
            told=each.status.state == "active" and not each.status.muted_by,
        )
        for each in group.alerts
    ]
