"""Alerts of this service about itself. They come in like all others, so they reach people the same way."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from alert_service.incidents.alert import AlertStatus, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.posts import key_of
from alert_service.storage import incidents
from alert_service.storage.inbox import Inbox
from common.clock import Clock
from common.database.connections import Database


class OwnAlerts:
    """Each has a group, and so an incident, of its own."""

    def __init__(self, database: Database, inbox: Inbox, clock: Clock, *, cluster: str) -> None:
        self._database = database
        self._inbox = inbox
        self._clock = clock
        self._cluster = cluster

    async def raise_alarm(
        self, labels: Mapping[str, str], annotations: Mapping[str, str], *, since: datetime | None = None
    ) -> None:
        """From now on, or still: one that fires already goes on. Raises InboxFull and DatabaseError.

        Whoever remembers `since` when it fires needs not have it looked up.
        """
        labels = self._with_cluster(labels)
        since = since or await self._fires_since(labels) or self._clock.now()
        await self._put(labels, annotations, AlertStatus.FIRING, since)

    async def end_alarm(self, labels: Mapping[str, str], *, since: datetime | None = None) -> None:
        """One that does not fire is none to end. Raises InboxFull and DatabaseError."""
        labels = self._with_cluster(labels)
        since = since or await self._fires_since(labels)
        if since is not None:
            await self._put(labels, {}, AlertStatus.RESOLVED, since)

    def _with_cluster(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {**labels, **({"cluster": self._cluster} if self._cluster else {})}

    async def _fires_since(self, labels: Mapping[str, str]) -> datetime | None:
        key = key_of(Source.SELF, _group(labels))
        async with self._database.begin() as connection:
            found = (await incidents.newest_of(connection, {key})).get(key)
        member = None if found is None else found.members.get(fingerprint_of(labels))
        return member.alert.starts_at if member is not None and member.firing else None

    async def _put(
        self, labels: Mapping[str, str], annotations: Mapping[str, str], status: AlertStatus, since: datetime
    ) -> None:
        now = self._clock.now()
        body = msgspec.json.encode(
            {
                "version": "4",
                "groupKey": _group(labels),
                "receiver": "alert-service",
                "status": status,
                "alerts": [
                    {
                        "status": status,
                        "labels": labels,
                        "annotations": annotations,
                        "startsAt": since,
                        "endsAt": now if status is AlertStatus.RESOLVED else "0001-01-01T00:00:00Z",
                        "fingerprint": fingerprint_of(labels),
                    }
                ],
                "groupLabels": labels,
                "commonLabels": labels,
                "commonAnnotations": annotations,
                "externalURL": "",
            }
        )
        await self._inbox.put(Source.SELF, hashlib.sha256(body).hexdigest(), body, now)


def _group(labels: Mapping[str, str]) -> str:
    return "self:" + fingerprint_of(labels)
