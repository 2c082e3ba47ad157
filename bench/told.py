"""What the stored events tell, held against what is found: nothing lost, nothing twice, nothing out of order."""

from collections.abc import Sequence
from typing import Any

from demo.service import Service

from bench.changes import Fault
from bench.watched import eventually

AGREE_SECONDS = 120.0

FindingKey = tuple[str, str, str, str, str]  # code, kind, namespace, name, part


class Broken(Exception):
    """What must never happen did happen."""


async def agreed(service: Service, faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """All events, once those that are told as open are the findings that there are. Raises Broken."""
    wanted = {fault.key for fault in faults}
    events: list[dict[str, Any]] = []
    differences: set[FindingKey] = set()

    async def agrees() -> bool:
        events[:] = await _events(service)
        told, found = fold(events), await _findings(service)
        differences.clear()
        differences.update(told ^ found)
        return not differences and wanted <= {key[:4] for key in told}

    try:
        await eventually(agrees, AGREE_SECONDS)
    except TimeoutError:
        missing = wanted - {key[:4] for key in fold(events)}
        raise Broken(f"events and findings do not agree: {sorted(differences)[:3]}, not told: {missing}") from None
    return events


async def _events(service: Service) -> list[dict[str, Any]]:
    """From the first on. Raises Broken."""
    events: list[dict[str, Any]] = []
    more = True
    while more:
        page = await service.get(f"/api/v1/events?after={len(events)}&limit=1000")
        events += page["events"]
        more = page["more"]
    return numbered(events)


def numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events. Raises Broken when their cursors have a gap, or an event is there twice."""
    if [event["cursor"] for event in events] != list(range(1, len(events) + 1)):
        raise Broken("the cursors of the events have a gap, or come twice")
    if len({event["id"] for event in events}) != len(events):
        raise Broken("an event is stored twice")
    return events


def fold(events: Sequence[dict[str, Any]]) -> set[FindingKey]:
    """What a subscriber takes for open. Raises Broken when an event does not fit to those before it."""
    told: set[FindingKey] = set()
    for event in events:
        key, change = _key(event["data"]["finding"]), event["data"]["change"]
        if (change == "opened") == (key in told):
            raise Broken(f"{key} was {change}, and was {'open' if key in told else 'not open'} already")
        (told.discard if change == "resolved" else told.add)(key)
    return told


async def _findings(service: Service) -> set[FindingKey]:
    found: set[FindingKey] = set()
    cursor = ""
    while True:
        page = await service.get(f"/api/v1/findings?limit=500{cursor}")
        found |= {_key(finding) for finding in page["items"]}
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def _key(finding: dict[str, Any]) -> FindingKey:
    about = finding["object"]
    return (finding["code"], about["kind"], about.get("namespace") or "", about["name"], finding.get("part") or "")
