"""Whose a cordon is. Ours carries our marks, written together with the cordon itself; any other is somebody else's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auto_healing.kube.cluster import Manifest
from auto_healing.marks import CORDON_REASON, CORDON_UNTIL, CORDONED_BY, CORDONED_FOR
from common.cluster.rows import NodeRow

PATH = ("spec", "unschedulable")
_MARKS = (CORDONED_BY, CORDON_REASON, CORDON_UNTIL, CORDONED_FOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cordon:
    """Of one node. `mark` is the run and step that made it; empty when it is none of ours."""

    cordoned: bool
    mark: str = ""
    reason: str = ""
    until: str = ""
    causes: frozenset[str] = frozenset()  # conditions that were bad when it was made
    foreign: str = ""  # who else cordoned it, for people; empty unless somebody did

    @property
    def ours(self) -> bool:
        return self.cordoned and not self.foreign

    @property
    def run_id(self) -> UUID | None:
        """None when the mark was not written by us, or was edited."""
        try:
            return UUID(self.mark.split("/")[0])
        except ValueError:
            return None

    @property
    def ends_at(self) -> datetime | None:
        """None when it does not say so in a way that can be read."""
        try:
            until = datetime.fromisoformat(self.until)
        except ValueError:
            return None
        return until if until.tzinfo else None


def cordon_in(node: NodeRow) -> Cordon:
    """As the snapshot shows it: by its marks alone."""
    foreign = "somebody without our marks" if node.unschedulable and CORDONED_BY not in node.annotations else ""
    return _cordon(node.unschedulable, node.annotations, foreign)


def cordon_of(node: Manifest) -> Cordon:
    """As the live object shows it, which also tells who wrote which field."""
    annotations = node["metadata"].get("annotations") or {}
    cordoned = bool((node.get("spec") or {}).get("unschedulable"))
    foreign = _somebody_else(node, annotations) if cordoned else ""
    return _cordon(cordoned, annotations, foreign)


def _cordon(cordoned: bool, annotations: Mapping[str, str], foreign: str) -> Cordon:
    if not cordoned or foreign:
        return Cordon(cordoned=cordoned, foreign=foreign)
    return Cordon(
        cordoned=True,
        mark=annotations.get(CORDONED_BY, ""),
        reason=annotations.get(CORDON_REASON, ""),
        until=annotations.get(CORDON_UNTIL, ""),
        causes=frozenset(annotations.get(CORDONED_FOR, "").split(",")) - {""},
    )


def _somebody_else(node: Manifest, annotations: Mapping[str, str]) -> str:
    """Who cordoned it, when that was not us; our marks alone are no proof, as they outlive an uncordon by hand."""
    writers = [
        each
        for each in node["metadata"].get("managedFields") or ()
        if "f:unschedulable" in (_fields(each).get("f:spec") or {})
    ]
    if CORDONED_BY in annotations and (not writers or any(_marked(each) for each in writers)):
        return ""
    if not writers:
        return "somebody without our marks"
    return " and ".join(f"{each.get('manager') or 'somebody'} at {each.get('time', 'some time')}" for each in writers)


def _marked(writer: Mapping[str, Any]) -> bool:
    annotations = (_fields(writer).get("f:metadata") or {}).get("f:annotations") or {}
    return f"f:{CORDONED_BY}" in annotations


def _fields(writer: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = writer.get("fieldsV1") or {}
    return found


def patch_cordoning(*, mark: str, reason: str, until: datetime, causes: frozenset[str]) -> Manifest:
    """Cordon and marks in one write, so that there is never one without the other."""
    marks = {
        CORDONED_BY: mark,
        CORDON_REASON: reason,
        CORDON_UNTIL: until_text(until),
        CORDONED_FOR: ",".join(sorted(causes)) or None,
    }
    return {"spec": {"unschedulable": True}, "metadata": {"annotations": marks}}


def until_text(until: datetime) -> str:
    return until.astimezone(UTC).isoformat(timespec="seconds")


def patch_uncordoning() -> Manifest:
    return {"spec": {"unschedulable": None}, "metadata": patch_unmarking()["metadata"]}


def patch_unmarking() -> Manifest:
    """For marks that an uncordon by hand left behind."""
    return {"metadata": {"annotations": dict.fromkeys(_MARKS)}}


def marked(node: Manifest) -> bool:
    return CORDONED_BY in (node["metadata"].get("annotations") or {})
