"""Alerts, posts, notices and policies as tests need them, and the life of one incident without a database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import msgspec
from hypothesis import HealthCheck, settings

from alert_service.incidents.acting import act
from alert_service.incidents.acts import Act, ActKind, Answer, Person, Via
from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.change import Changed
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import Happening, HappeningKind, Incident
from alert_service.incidents.notices import noticed
from alert_service.incidents.posts import received
from alert_service.incidents.settle import Settled, Surroundings, settle
from alert_service.incidents.timers import tick
from alert_service.policy import AlertPolicy
from alert_service.policy.parse import parse_policy
from alert_service.routing.routing import Routes
from alert_service.routing.wanted import DeliveryKind, Wanted
from common.contracts.healing import Notice, NoticeKind
from common.contracts.objects import ObjectRef

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday
POD = {"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": "web-0"}

# Machines are noisy: the same examples each time, however long they take.
tried = settings(
    max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

POLICY = """\
version: 1
channels:
  sre: {kind: slack, conversation: "#sre"}
  boss: {kind: slack, conversation: "#boss"}
  team: {kind: slack, conversation: "#team"}
routes:
  - {name: all, channels: [sre], escalation: up}
escalations:
  up:
    steps:
      - {after: 5m, people: [ana], channels: [sre]}
      - {after: 10m, people: [ana, ben], channels: [boss], ack: all}
    repeat: 1
people:
  ana: {identity: ana@example.com, shown: Ana, rights: [acknowledge, unacknowledge, escalate, resolve, note, silence]}
  ben: {identity: ben@example.com, shown: Ben}
gather: 5s
"""


def a_policy(text: str = POLICY, **parts: Any) -> AlertPolicy:
    """Checked like a policy file; `parts` take the place of what the text says."""
    return _parsed(text).model_copy(update=parts) if parts else _parsed(text)


@cache
def _parsed(text: str) -> AlertPolicy:
    return parse_policy(text)


def an_alert(
    labels: Mapping[str, str] = POD, *, at: datetime = NOW, ended: datetime | None = None, **fields: Any
) -> Alert:
    """Fires unless it has `ended`."""
    severity = fields.pop("severity", "warning")
    fields.setdefault("fingerprint", fingerprint_of(labels))
    return Alert(
        status=AlertStatus.FIRING if ended is None else AlertStatus.RESOLVED,
        labels={**labels, "severity": severity},
        starts_at=at,
        ends_at=ended,
        **fields,
    )


def over(alert: Alert, at: datetime | None = None) -> Alert:
    """The same, resolved a minute after it began unless told otherwise."""
    ended = at or alert.starts_at + timedelta(minutes=1)
    return msgspec.structs.replace(alert, status=AlertStatus.RESOLVED, ends_at=ended)


def numbered(number: int, **fields: Any) -> Alert:
    """Alerts that differ by their pod."""
    return an_alert({**POD, "pod": f"web-{number}"}, **fields)


def a_post(*alerts: Alert, **fields: Any) -> Post:
    fields.setdefault("source", Source.ALERTMANAGER)
    fields.setdefault("group_key", '{}:{alertname="KubePodCrashLooping"}')
    return Post(alerts=alerts, **fields)


def opened(*alerts: Alert, policy: AlertPolicy | None = None, now: datetime = NOW, **fields: Any) -> Incident:
    """An incident with such alerts, as it is before it is settled; `fields` as it shall differ."""
    post = a_post(*(alerts or (an_alert(),)))
    done = received(None, post, policy or a_policy(), now=now, new_id=uuid4())
    assert done is not None
    return replace(done.incident, **fields)


def a_notice(kind: NoticeKind = NoticeKind.STARTED, *, at: datetime = NOW, **fields: Any) -> Notice:
    fields.setdefault("id", f"{kind}-{at.isoformat()}")
    fields.setdefault("subject", ObjectRef(kind="Pod", namespace="shop", name="web-0"))
    fields.setdefault("action", "restart-pod")
    fields.setdefault("message", f"restart-pod: {kind}")
    return Notice(kind=kind, at=at, **fields)


def a_person(name: str = "ana", *rights: ActKind) -> Person:
    return Person(name=f"{name}@example.com", shown=name.title(), rights=frozenset(rights or ActKind))


def an_act(
    incident: Incident, kind: ActKind = ActKind.ACKNOWLEDGE, by: Person | None = None, *, now: datetime, **fields: Any
) -> Act:
    return Act(kind=kind, incident_id=incident.id, by=by or a_person(), via=Via.SLACK, at=now, **fields)


@dataclass(kw_only=True)
class Life:
    """One incident over time, changed and settled as the service does it, but in memory."""

    policy: AlertPolicy = field(default_factory=a_policy)
    now: datetime = NOW
    incident: Incident | None = None
    next_at: datetime | None = None
    parent: Incident | None = None
    near: Sequence[Incident] = ()
    storming: Callable[[str, Incident], bool] = lambda channel, incident: False
    happenings: list[Happening] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)  # since `heard` was asked last
    new_id: UUID = field(default_factory=uuid4)
    _routes: tuple[AlertPolicy, Routes] | None = None

    @property
    def it(self) -> Incident:
        assert self.incident is not None
        return self.incident

    def after(self, **duration: float) -> "Life":
        """Time passes, and nothing is looked at."""
        self.now += timedelta(**duration)
        return self

    def post(self, *alerts: Alert, **fields: Any) -> "Life":
        done = received(self.incident, a_post(*alerts, **fields), self.policy, now=self.now, new_id=self.new_id)
        if done is not None:
            before = self.incident if self.incident is not None and self.incident.id == done.incident.id else None
            self.settle(before, done)
        return self

    def notice(self, kind: NoticeKind, **fields: Any) -> "Life":
        fields.setdefault("at", self.now)
        return self.settle(self.it, noticed(self.it, a_notice(kind, **fields), self.policy, now=self.now))

    def act(self, kind: ActKind = ActKind.ACKNOWLEDGE, by: str = "ana", **fields: Any) -> Answer:
        wanted = an_act(self.it, kind, a_person(by), now=self.now, **fields)
        done, answer = act(self.it, wanted, self.policy, now=self.now)
        if done.happenings:
            self.settle(self.it, done)
        return answer

    def tick(self) -> "Life":
        return self.settle(self.it, tick(self.it, self.policy, now=self.now))

    def run(self, **duration: float) -> "Life":
        """Time passes, and whatever is due in between is done when it is. Fails when time alone brings no end."""
        until = self.now + timedelta(**duration)
        for _ in range(1000):
            if self.next_at is None or self.next_at > until:
                self.now = until
                return self
            self.now = max(self.now, self.next_at)
            self.tick()
        raise AssertionError(f"is due again and again, at {self.next_at}")

    def settle_again(self) -> "Life":
        """As when one that it belongs to has changed."""
        return self.settle(self.it, Changed(incident=self.it))

    def settle(self, before: Incident | None, done: Changed) -> "Life":
        settled: Settled = settle(before, done, self.around(), now=self.now)
        self.incident, self.next_at = settled.incident, settled.next_at
        self.happenings += settled.happenings
        self.wanted += settled.wanted
        return self

    def around(self) -> Surroundings:
        if self._routes is None or self._routes[0] is not self.policy:
            self._routes = (self.policy, Routes(self.policy))
        return Surroundings(
            policy=self.policy,
            routes=self._routes[1],
            near=self.near,
            parent=self.parent,
            storming=self.storming,
        )

    def heard(self) -> list[str]:
        """What was told since it was asked last, such as "sre card! opened"; ! is loud, ~ is quiet."""
        told = [_line(each) for each in self.wanted if each.incident_id == self.it.id]
        self.wanted.clear()
        return told

    def kinds(self) -> list[HappeningKind]:
        return [each.kind for each in self.happenings]


def _line(each: Wanted) -> str:
    mark = "!" if each.loud else "~" if each.quiet else ""
    return f"{each.channel} {each.kind}{mark} {each.reason}"


def cards(told: Sequence[Wanted]) -> list[str]:
    """Channels that get a card now."""
    return [each.channel for each in told if each.kind is DeliveryKind.CARD and not each.quiet]
