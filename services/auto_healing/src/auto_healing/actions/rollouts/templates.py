"""Pod templates as they are put back: the JSON merge patch from one to another. Pure."""

from collections.abc import Mapping
from typing import Any

from auto_healing.kube.cluster import Manifest
from auto_healing.marks import OWNED_BY_RUN, RESTARTED_AT

RESTARTS = frozenset({RESTARTED_AT, OWNED_BY_RUN, "kubectl.kubernetes.io/restartedAt"})


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What makes `after` of `before` by RFC 7396: null takes a field away, a list is replaced as a whole."""
    patch: dict[str, Any] = {key: None for key in before if key not in after and before[key] is not None}
    for key, wanted in after.items():
        found = before.get(key)
        if isinstance(found, Mapping) and isinstance(wanted, Mapping):
            inner = merge_patch(found, wanted)
            if inner:
                patch[key] = inner
        elif found != wanted:
            patch[key] = wanted
    return patch


def same(one: Manifest, other: Manifest) -> bool:
    """Whether two templates say the same; a null says nothing."""
    return not merge_patch(one, other)


def same_but_restarted(one: Manifest, other: Manifest) -> bool:
    """Whether nothing but the annotations of a restart tells them apart."""
    return same(_not_restarted(one), _not_restarted(other))


def _not_restarted(template: Manifest) -> dict[str, Any]:
    metadata = template.get("metadata") or {}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in RESTARTS}
    return {**template, "metadata": {**metadata, "annotations": annotations or None}}
