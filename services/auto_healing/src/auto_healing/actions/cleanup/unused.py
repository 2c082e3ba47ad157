"""Objects that references decide about, and that are listed live by their metadata only."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from auto_healing import marks
from auto_healing.actions.cleanup.keeping import kept_because
from auto_healing.actions.cleanup.references import References, Use
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, Unproven
from auto_healing.actions.cleanup.survey import survey
from auto_healing.kube.cluster import Manifest
from common.contracts import ObjectKey, ObjectRef

# Made by Kubernetes and meshes in every namespace.
EVERYWHERE = re.compile(r"kube-root-ca\.crt|openshift-service-ca\.crt|istio-ca-root-cert|linkerd-.*|cluster-info")


async def find_unused(look: Look, kind: str, listed: Sequence[Manifest]) -> Found:
    """Those of the listed objects that no reference leads to. `listed` are whole or partial manifests."""
    inside = [each for each in listed if look.covers_namespace(each["metadata"]["namespace"]) and _concerns(each)]
    old = [each for each in inside if look.older(look.settings.min_age, _created_at(each))]
    if not old:
        return Found(total=len(inside))
    references = await survey(look.cluster, {each["metadata"]["name"] for each in old})
    return judged(((_ref(kind, each), kept_because(each)) for each in old), references, total=len(inside))


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


def _concerns(manifest: Manifest) -> bool:
    metadata = manifest["metadata"]
    opted_out = any((metadata.get(kind) or {}).get(marks.HEAL) == "off" for kind in ("labels", "annotations"))
    return not opted_out and not EVERYWHERE.fullmatch(metadata["name"]) and not metadata.get("deletionTimestamp")


def _created_at(manifest: Manifest) -> datetime:
    return datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])


def _ref(kind: str, manifest: Manifest) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectKey(kind, metadata["namespace"], metadata["name"]).ref(metadata["uid"])
