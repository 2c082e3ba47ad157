"""Blind means still."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import census_of
from auto_healing.plan import Decline, Step
from common.cluster.snapshot import SourceState

_SOON = timedelta(seconds=15)
_ALWAYS = ("Namespace", "Node", "Pod")
_WORKLOADS = ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet")
_RESTS_ON = {
    "Node": ("Lease", *_WORKLOADS, "PodDisruptionBudget"),
    "Pod": ("Lease", *_WORKLOADS, "Job", "PodDisruptionBudget"),
    "PersistentVolume": ("PersistentVolumeClaim",),
    "HorizontalPodAutoscaler": _WORKLOADS,
    **dict.fromkeys(_WORKLOADS, ("Lease", *_WORKLOADS, "PodDisruptionBudget")),
}


class FreshView:
    code: ClassVar[str] = "fresh-view"
    title: ClassVar[str] = "Is what is seen of the cluster whole, fresh and believable?"
    looks_at: ClassVar[str] = (
        "Whether every kind that the decision rests on is listed and watched; whether the API server answers, and how "
        "fast; how old the last word of health_monitor is; whether an outage of the view has only just ended; whether "
        "the Leases of many nodes say otherwise than their Ready conditions; and whether many objects fell ill within "
        "one second."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        for doubts in (_sources, _api, _outage, _health_monitor, _leases, _same_second):
            for decline in doubts(step, facts):
                return decline
        return None


def _blind(message: str, look_again_at: datetime, **numbers: str | int | float) -> Decline:
    return Decline(guard=FreshView.code, message=message, numbers=numbers, look_again_at=look_again_at)


def _sources(step: Step, facts: Facts) -> Iterator[Decline]:
    soon = facts.now + _SOON
    if facts.sight.synced_at is None:
        yield _blind("The cluster has not been seen completely yet", soon)
    sources = facts.snapshot.sources
    for kind in (*_ALWAYS, *_RESTS_ON.get(step.target.kind, ()), step.target.kind):
        source = sources.get(kind)
        if source is None:
            continue  # read live only, such as a ConfigMap
        if source.state is not SourceState.SYNCED:
            why = f": {source.reason}" if source.reason else ""
            yield _blind(
                f"The view of {kind} objects is {source.state}{why}", soon, kind=kind, state=source.state.value
            )
        silent = None if source.heard_at is None else facts.now - source.heard_at
        if silent is None or silent > facts.settings.fresh_view.quiet:
            seconds = -1 if silent is None else round(silent.total_seconds())
            told = "ever" if silent is None else f"for {seconds} s"
            yield _blind(f"Nothing was heard of {kind} objects {told}", soon, kind=kind, silent_seconds=seconds)


def _api(_step: Step, facts: Facts) -> Iterator[Decline]:
    settings, api, soon = facts.settings.fresh_view, facts.snapshot.api, facts.now + _SOON
    if api.unreachable_since is not None:
        seconds = round((facts.now - api.unreachable_since).total_seconds())
        yield _blind(f"The API server has not answered for {seconds} s", soon, unreachable_seconds=seconds)
    if api.requests < max(1, settings.requests):
        return
    ratio = api.errors / api.requests
    if ratio > settings.error_ratio:
        yield _blind(
            f"{ratio:.0%} of the requests to the API server fail, more than {settings.error_ratio:.0%}",
            soon,
            error_ratio=round(ratio, 3),
            limit=settings.error_ratio,
        )
    if api.p99_seconds > settings.p99_seconds:
        yield _blind(
            f"The API server takes up to {api.p99_seconds:.1f} s to answer, more than {settings.p99_seconds:g} s",
            soon,
            p99_seconds=round(api.p99_seconds, 3),
            limit=settings.p99_seconds,
        )


def _outage(_step: Step, facts: Facts) -> Iterator[Decline]:
    ended, settle = facts.sight.outage_ended_at, facts.settings.fresh_view.settle
    if ended is not None and facts.now - ended < settle:
        seconds = round((facts.now - ended).total_seconds())
        yield _blind(
            f"The view came back only {seconds} s ago after an outage; statuses are still being brought up to date",
            ended + settle,
            since_outage_seconds=seconds,
            settle_seconds=settle.total_seconds(),
        )


def _health_monitor(_step: Step, facts: Facts) -> Iterator[Decline]:
    """Only what rests on its findings waits for its word."""
    if not facts.plan.fault.findings:
        return
    heard, limit = facts.sight.health_monitor_heard_at, facts.settings.fresh_view.health_monitor_silence
    if heard is None:
        yield _blind("health_monitor has not been heard since the start", facts.now + _SOON)
    elif facts.now - heard > limit:
        seconds = round((facts.now - heard).total_seconds())
        yield _blind(
            f"health_monitor was last heard {seconds} s ago: what it found may be over",
            facts.now + _SOON,
            silent_seconds=seconds,
            limit_seconds=limit.total_seconds(),
        )


def _leases(_step: Step, facts: Facts) -> Iterator[Decline]:
    settings, census = facts.settings.fresh_view, census_of(facts)
    disagreeing, limit = len(census.disagreeing), max(settings.lease_nodes, settings.lease_ratio * census.nodes)
    if disagreeing > limit:
        yield _blind(
            f"The Leases of {disagreeing} of {census.nodes} nodes say otherwise than their Ready conditions",
            facts.now + _SOON,
            disagreeing=disagreeing,
            nodes=census.nodes,
            limit=limit,
        )


def _same_second(_step: Step, facts: Facts) -> Iterator[Decline]:
    settings = facts.settings.fresh_view
    objects = facts.sight.changed_in_last_second
    if objects > settings.same_second_objects:
        yield _blind(
            f"{objects} nodes and pods turned unhealthy within one second, which is rarely true",
            facts.now + timedelta(minutes=1),
            objects=objects,
            limit=settings.same_second_objects,
        )
    since = facts.now - settings.same_second_hold
    recent = takewhile(lambda turn: turn[0] > since, census_of(facts).turned)
    fell = Counter(at.replace(microsecond=0) for at, ready, _ in recent if not ready)
    at, nodes = max(fell.items(), key=lambda item: (item[1], item[0]), default=(facts.now, 0))
    if nodes > settings.same_second_nodes:
        yield _blind(
            f"{nodes} nodes turned unready in the same second, which is rarely true",
            at + settings.same_second_hold,
            nodes=nodes,
            limit=settings.same_second_nodes,
        )
