"""What Alertmanager says and what stands here, compared: which alerts were missed, and which are long over. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.change import Changed
from alert_service.incidents.incident import Happening, HappeningKind, Incident
from alert_service.incidents.posts import received, resolved
from alert_service.policy.settings import AlertPolicy
from alert_service.reconciling.route_tree import Route, group_key, receivers_of

# It tells new groups after its group_wait, 30 s unless set otherwise: what is younger is on its way.
ON_ITS_WAY = timedelta(minutes=2)
# After a restart it knows of nothing until Prometheus has told it again, within its resend delay of a minute or so.
GONE_AFTER = timedelta(minutes=5)


class Fires(Protocol):
    """An alert that fires here. Without a fingerprint: an open incident of which nothing that is known fires."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def group_key(self) -> str: ...
    @property
    def receiver(self) -> str: ...


class There(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert of a group of Alertmanager's. `told`: it is neither silenced nor inhibited."""

    alert: Alert
    receiver: str
    group_labels: Mapping[str, str]
    told: bool


@dataclass(slots=True)
class Difference:
    """What is to be put right about one group."""

    receiver: str
    group_labels: Mapping[str, str] = field(default_factory=dict)
    missed: list[Alert] = field(default_factory=list)
    over: set[str] = field(default_factory=set)  # fingerprints


Absent = Mapping[tuple[str, str], datetime]  # by group key and fingerprint


def absent(
    here: Iterable[Fires], there: Iterable[There], root: Route, since: Absent, *, now: datetime
) -> dict[tuple[str, str], datetime]:
    """Since when Alertmanager does not know what fires here; `since` is the answer of the look before.

    An Alertmanager that does not even know the receiver is another one, and says nothing.
    """
    known = {each.alert.fingerprint for each in there}
    receivers = receivers_of(root)
    return {
        (each.group_key, each.fingerprint): since.get((each.group_key, each.fingerprint), now)
        for each in here
        if each.fingerprint not in known and each.receiver in receivers
    }


def differences(
    here: Iterable[Fires],
    there: Iterable[There],
    root: Route,
    *,
    receivers: Collection[str],
    absent_since: Absent,
    now: datetime,
) -> dict[str, Difference]:
    """By group key. `receivers`: those that post to this service."""
    here = list(here)
    found: dict[str, Difference] = {}
    coming: set[str] = set()  # keys of groups with alerts that are on their way
    fires = {each.fingerprint for each in here}
    for each in there:
        if not each.told or each.receiver not in receivers or each.alert.fingerprint in fires:
            continue
        for key in _keys_of(each, root):
            if now - each.alert.starts_at < ON_ITS_WAY:
                coming.add(key)
            else:
                found.setdefault(key, Difference(each.receiver, each.group_labels)).missed.append(each.alert)
    for mine in here:
        at = absent_since.get((mine.group_key, mine.fingerprint))
        still_fires = not mine.fingerprint and (mine.group_key in coming or mine.group_key in found)
        if at is not None and now - at >= GONE_AFTER and not still_fires:
            found.setdefault(mine.group_key, Difference(mine.receiver)).over.add(mine.fingerprint)
    return found


def _keys_of(each: There, root: Route) -> Iterator[str]:
    """Of the groups in which it may be told."""
    for route in root.matching(each.alert.labels):
        if route.receiver == each.receiver and not route.timed and _is_of(route, each):
            yield group_key(route, each.group_labels)


def _is_of(route: Route, each: There) -> bool:
    return route.group_of(each.alert.labels) == each.group_labels


def put_right(
    incident: Incident | None,
    group: str,
    difference: Difference,
    policy: AlertPolicy,
    *,
    now: datetime,
    new_id: UUID,
) -> Changed | None:
    """None when there is nothing to put right by now. What a person has closed stays closed."""
    members = {} if incident is None else incident.members
    closed = frozenset() if incident is None or incident.open else frozenset(_fired(incident))
    missed = [each for each in difference.missed if each.episode not in closed]
    over = [_ended(members[each].alert, now) for each in difference.over if each in members and members[each].firing]
    if incident is None or not incident.open:
        over = []
    post = Post(
        source=Source.ALERTMANAGER,
        group_key=group,
        receiver=difference.receiver,
        group_labels=dict(difference.group_labels) or _group_labels(incident),
        alerts=(*missed, *over),
    )
    done = received(incident, post, policy, now=now, new_id=new_id) if post.alerts else None
    if incident is not None and incident.open and not incident.firing and "" in difference.over:
        done = resolved(incident, now, "with all that its last post left out")
    if done is None or not done.happenings:
        return None
    return replace(done, happenings=(_reconciled(missed, over, now), *done.happenings))


def _group_labels(incident: Incident | None) -> dict[str, str]:
    return {} if incident is None else dict(incident.labels)


def _fired(incident: Incident) -> Iterable[tuple[str, datetime]]:
    """The episodes that were open when it was closed here."""
    return (member.alert.episode for member in incident.firing)


def _ended(alert: Alert, now: datetime) -> Alert:
    return msgspec.structs.replace(alert, status=AlertStatus.RESOLVED, ends_at=now)


def _reconciled(missed: Collection[Alert], over: Collection[Alert], now: datetime) -> Happening:
    said = []
    if missed:
        said.append(f"it fires {_count(missed)} that nobody had told of")
    if over:
        said.append(f"it does not know {_count(over)} any more")
    if not said:
        said.append("it knows nothing of this group any more")
    text = f"compared with Alertmanager: {', and '.join(said)}"
    fingerprints = tuple(each.fingerprint for each in (*missed, *over))
    return Happening(kind=HappeningKind.RECONCILED, at=now, text=text, fingerprints=fingerprints)


def _count(alerts: Collection[Alert]) -> str:
    return "1 alert" if len(alerts) == 1 else f"{len(alerts)} alerts"
