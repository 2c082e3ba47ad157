"""Kubernetes Events about what was done. The same one again is counted, not written anew."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from auto_healing.kube.paths import resource_of
from common.contracts import ObjectRef

COMPONENT = "k8s-health-checker/auto-healing"
MESSAGE_LENGTH = 1024  # more is refused by the API
NAME_LENGTH = 230  # of the object within the event's, which may have 253


def event_of(ref: ObjectRef, *, reason: str, message: str, warning: bool, now: datetime) -> dict[str, Any]:
    """Its name follows from what it says, so that the same one again meets the first."""
    said = "\0".join((ref.kind, ref.namespace, ref.name, ref.uid, reason, message))
    at = stamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{ref.name[:NAME_LENGTH]}.{sha256(said.encode()).hexdigest()[:16]}",
            "namespace": ref.namespace or "default",
        },
        "involvedObject": {
            "apiVersion": resource_of(ref.kind).api_version,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
        },
        "reason": reason,
        "message": message[:MESSAGE_LENGTH],
        "type": "Warning" if warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
    }


def again(found: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The merge patch that counts one more. With the version, so that none is lost."""
    version = found["metadata"]["resourceVersion"]
    count = (found.get("count") or 1) + 1
    return {"metadata": {"resourceVersion": version}, "count": count, "lastTimestamp": stamp(now)}


def stamp(now: datetime) -> str:
    """An instant as Kubernetes writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
