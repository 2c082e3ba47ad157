"""What stored events say: in which order, of what, and what is open after them."""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
FindingKey = tuple[str, str, str, str, str]  # code, kind, namespace, name, part


def key_of(finding: Mapping[str, Any]) -> FindingKey:
    about = finding["object"]
    return (finding["code"], about["kind"], about["namespace"], about["name"], finding["part"])


def still_open(events: Iterable[Json]) -> set[FindingKey]:
    """What was told and not resolved. Fails when a cursor is missing, or something was told twice or never opened.

    Takes all events from the first on.
    """
    told: set[FindingKey] = set()
    ids: set[str] = set()
    for place, event in enumerate(events, start=1):
        key, change = key_of(event["data"]["finding"]), event["data"]["change"]
        assert event["cursor"] == place, f"cursor {event['cursor']} at place {place}"
        assert event["id"] not in ids, f"{event['id']} is there twice"
        assert (key in told) is (change != "opened"), f"{change} of {key} at cursor {place}"
        ids.add(event["id"])
        if change == "opened":
            told.add(key)
        elif change == "resolved":
            told.remove(key)
    return told


def changes_of(events: Iterable[Json], code: str, namespace: str, name: str) -> list[str]:
    """What was told of one check of one object, such as ["opened", "resolved"]."""
    keys = ((event["data"]["change"], key_of(event["data"]["finding"])) for event in events)
    return [change for change, key in keys if (key[0], key[2], key[3]) == (code, namespace, name)]
