"""Turns the text of a policy file into a policy, or names every mistake in it at once."""

from collections.abc import Collection, Iterable, Iterator

from alert_service.policy.routing import ChannelKind, ChannelPart, EscalationPart
from alert_service.policy.settings import AlertPolicy
from alert_service.policy.suppression import MaintenancePart
from common.policy.document import read_document
from common.policy.mistakes import Mistake, PolicyError, nearest


def parse_policy(text: str) -> AlertPolicy:
    """The policy that a YAML text describes. Raises PolicyError with all its mistakes."""
    policy = read_document(text, AlertPolicy, members={})
    mistakes = list(_mistakes(policy))
    if mistakes:
        raise PolicyError(mistakes)
    return policy


def _mistakes(policy: AlertPolicy) -> Iterator[Mistake]:
    for name, channel in policy.channels.items():
        yield from _in_channel(policy, channel, f"channels.{name}")
    yield from _in_routes(policy)
    for name, escalation in policy.escalations.items():
        yield from _in_escalation(policy, escalation, f"escalations.{name}")
    yield from _in_people(policy)
    for number, window in enumerate(policy.maintenance):
        yield from _in_maintenance(window, f"maintenance[{number}]")
    for number, heartbeat in enumerate(policy.heartbeats):
        yield from _known("channel", heartbeat.channels, policy.channels, f"heartbeats[{number}].channels")
    yield from _known("channel", policy.canary.channels, policy.channels, "canary.channels")
    yield from _known("channel", policy.rehearsal.channels, policy.channels, "rehearsal.channels")
    yield from _known("escalation", policy.rehearsal.escalations, policy.escalations, "rehearsal.escalations")


def _in_channel(policy: AlertPolicy, channel: ChannelPart, path: str) -> Iterator[Mistake]:
    if channel.kind is ChannelKind.SLACK and not channel.conversation:
        yield Mistake(f"{path}.conversation", "is missing: the channel's name or id, such as #sre")
    if channel.kind is not ChannelKind.SLACK and not channel.secret:
        yield Mistake(f"{path}.secret", "is missing: the name of its address in ALERT_SERVICE_CHANNELS__URLS")
    if channel.fallback is not None:
        yield from _there_is("channel", channel.fallback, policy.channels, f"{path}.fallback")
    if path == f"channels.{channel.fallback}":
        yield Mistake(f"{path}.fallback", "is the channel itself, which would fail again; name another one")


def _in_routes(policy: AlertPolicy) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for number, route in enumerate(policy.routes):
        path = f"routes[{number}]"
        if route.name in seen:
            yield Mistake(f"{path}.name", f"{route.name} is the name of routes[{seen[route.name]}]; give another")
        seen.setdefault(route.name, number)
        yield from _known("channel", route.channels, policy.channels, f"{path}.channels")
        if route.hours is not None:
            yield from _there_is("hours", route.hours, policy.hours, f"{path}.hours")
        if route.escalation is not None:
            yield from _there_is("escalation", route.escalation, policy.escalations, f"{path}.escalation")


def _in_escalation(policy: AlertPolicy, escalation: EscalationPart, path: str) -> Iterator[Mistake]:
    for number, step in enumerate(escalation.steps):
        here = f"{path}.steps[{number}]"
        yield from _known("person", step.people, policy.people, f"{here}.people")
        yield from _known("channel", step.channels, policy.channels, f"{here}.channels")
        if step.hours is not None:
            yield from _there_is("hours", step.hours, policy.hours, f"{here}.hours")
        if not step.channels:
            yield Mistake(f"{here}.channels", "is missing: people are told in a channel")
        if step.ack == "all" and step.round_robin:
            yield Mistake(f"{here}.ack", "all waits for everybody, of whom round_robin tells one; use one of the two")
        if step.ack == "all" and not step.people:
            yield Mistake(f"{here}.people", "is missing: nobody could acknowledge for all")


def _in_people(policy: AlertPolicy) -> Iterator[Mistake]:
    """One vendor's id for two people would let each act as the other."""
    for what in ("identity", "slack", "teams"):
        seen: dict[str, str] = {}
        for name, person in policy.people.items():
            value = getattr(person, what).lower()
            if value and value in seen:
                yield Mistake(f"people.{name}.{what}", f"is the same as that of {seen[value]}; each needs an own one")
            seen.setdefault(value, name)


def _in_maintenance(window: MaintenancePart, path: str) -> Iterator[Mistake]:
    if bool(window.cron) == (window.starts_at is not None):
        yield Mistake(path, 'needs either cron, such as "0 2 * * sun", or starts_at')


def _known(what: str, names: Iterable[str], known: Collection[str], path: str) -> Iterator[Mistake]:
    for number, name in enumerate(names):
        yield from _there_is(what, name, known, f"{path}[{number}]")


def _there_is(what: str, name: str, known: Collection[str], path: str) -> Iterator[Mistake]:
    if name not in known:
        hint = nearest(name, known) if known else "; the policy names none"
        yield Mistake(path, f"there is no {what} {name}{hint}")
