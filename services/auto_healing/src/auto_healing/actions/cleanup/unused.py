"""Objects that references decide about, and that are listed live by their metadata only."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from auto_healing import marks
from auto_healing.actions.cleanup.keeping import kept_because
from auto_healing.actions.cleanup.references import References, Use, is_everywhere
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, Unproven
from auto_healing.actions.cleanup.survey import survey
from auto_healing.kube.cluster import Manifest
from common.contracts import ObjectKey, ObjectRef

# Labels that tell people what something is; programs find what they look for by others, such as grafana_dashboard.
_DESCRIBING = re.compile(
    r"app|chart|component|env|environment|heritage|instance|k8s-app|name|owner|release|role|team|tier|version"
    rf"|(app\.kubernetes\.io|helm\.sh|kubernetes\.io|{marks.PREFIX.rstrip('/')})/.*"
)


async def find_unused(look: Look, kind: str, listed: Sequence[Manifest]) -> Found:
    """Those of the listed objects that no reference leads to. `listed` are whole or partial manifests."""
    inside = [each for each in listed if look.covers_namespace(each["metadata"]["namespace"]) and _concerns(each)]
    old = [each for each in inside if look.older(look.settings.min_age, _created_at(each))]
    if not old:
        return Found(total=len(inside))
    names = {each["metadata"]["name"] for each in old}
    references = await survey(look.cluster, names, {key for each in old for key in _telling_labels(each)})
    objects = ((_ref(kind, each), kept_because(each) or _found_by_label(kind, each, references)) for each in old)
    return judged(objects, references, total=len(inside))


def judged(objects: Iterable[tuple[ObjectRef, str]], references: References, *, total: int) -> Found:
    """Pure: unused ones are candidates, unless something keeps them; used ones are no news."""
    candidates, doubtful = list[Candidate](), list[Unproven]()
    for ref, kept in objects:
        verdict = references.verdict(ref.key)
        if verdict.use is Use.USED:
            continue
        if verdict.use is Use.UNPROVEN or kept:
            doubtful.append(Unproven(object=ref.key, reason=kept or verdict.reason))
        else:
            candidates.append(Candidate(ref=ref, reason=verdict.reason))
    return Found(candidates=tuple(candidates), unproven=tuple(doubtful), total=total)


def _telling_labels(manifest: Manifest) -> Iterable[str]:
    labels: Mapping[str, str] = manifest["metadata"].get("labels") or {}
    return (key for key in labels if not _DESCRIBING.fullmatch(key))


def _found_by_label(kind: str, manifest: Manifest, references: References) -> str:
    """A program that is told a label finds all that bear it, and names none of them."""
    for key in _telling_labels(manifest):
        if where := references.mentioned(kind, key):
            return f"may be found by its label {key}, which stands in {where}"
    return ""


def _concerns(manifest: Manifest) -> bool:
    metadata = manifest["metadata"]
    opted_out = any((metadata.get(kind) or {}).get(marks.HEAL) == "off" for kind in ("labels", "annotations"))
    return not opted_out and not is_everywhere(metadata["name"]) and not metadata.get("deletionTimestamp")


def _created_at(manifest: Manifest) -> datetime:
    return datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])


def _ref(kind: str, manifest: Manifest) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectKey(kind, metadata["namespace"], metadata["name"]).ref(metadata["uid"])
