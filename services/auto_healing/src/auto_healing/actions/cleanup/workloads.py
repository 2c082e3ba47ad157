"""Which selectors match the pods that a workload would make, though it makes none now."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw

from auto_healing.actions.cleanup import shapes
from auto_healing.actions.cleanup.rule import Look
from auto_healing.actions.cleanup.sources import SOURCES
from auto_healing.actions.cleanup.uses import template_of
from common.cluster.decode.meta import labels_of
from common.cluster.rows import Labels, Selector
from common.contracts import ObjectKey
from common.kube.errors import NotFound

_WORKLOADS = tuple(source for source in SOURCES if source.shape is shapes.WorkloadItem)


class _Labelled(msgspec.Struct):
    labels: Raw = Raw()


class _Page(msgspec.Struct):
    items: tuple[shapes.WorkloadItem, ...] | None = None


async def templates_selected(look: Look, selectors: Mapping[ObjectKey, Selector]) -> set[ObjectKey]:
    """Keys of the selectors that match a template of their namespace. Raises KubeErrors, a refusal included."""
    selected: set[ObjectKey] = set()
    if not selectors:
        return selected
    for source in _WORKLOADS:
        try:
            async for page in look.cluster.pages(source.path):
                for item in msgspec.json.decode(page, type=_Page).items or ():
                    selected.update(_selecting(selectors, item.metadata.namespace, _labels_of(item)))
        except NotFound:
            continue
    return selected


def _selecting(selectors: Mapping[ObjectKey, Selector], namespace: str, labels: Labels) -> Iterable[ObjectKey]:
    return (key for key, selector in selectors.items() if key.namespace == namespace and selector.matches(labels))


def _labels_of(item: shapes.WorkloadItem) -> Labels:
    template = template_of(item.spec, item.template)
    if template is None or not template.metadata:
        return {}
    metadata = msgspec.json.decode(template.metadata, type=_Labelled | None)
    return labels_of(metadata.labels) if metadata else {}
