"""Reads the objects that may go, just before they do: few of them one by one, many of them page by page."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from auto_healing.actions.action import Marked
from auto_healing.actions.cleanup.pace import Pace
from auto_healing.kube.cluster import Cluster, Manifest
from auto_healing.kube.paths import collection_of, resource_of
from common.kube.errors import Gone

FEW = 50  # up to here reading one by one costs less than reading all others of the namespace along
BATCH = 100

Read = tuple[Marked, Manifest | None]


class _Meta(Struct):
    uid: str = ""


class _Item(Struct):
    metadata: _Meta


class _Page(Struct):
    items: tuple[Raw, ...] | None = None


async def in_batches(cluster: Cluster, due: Sequence[Marked], pace: Pace) -> AsyncIterator[list[Read]]:
    """All of them, each with its manifest, or None when it is gone; they are of one kind and one namespace.

    A page may be some seconds old when its last object is deleted: the version of the object has to be the same then.
    Raises KubeErrors.
    """
    left = {each.ref.uid: each for each in due}
    if len(left) > FEW:
        try:
            async for batch in _from_pages(cluster, left):
                yield batch
        except Gone:  # it took so long that the server has forgotten the beginning: the rest is read one by one
            pass
        else:
            yield [(each, None) for each in left.values()]
            return
    rest = list(left.values())
    for start in range(0, len(rest), BATCH):
        some = rest[start : start + BATCH]
        yield list(zip(some, await pace.map(lambda each: cluster.read(each.ref), some), strict=True))


async def _from_pages(cluster: Cluster, left: dict[str, Marked]) -> AsyncIterator[list[Read]]:
    """Takes out of `left` what it has found."""
    first = next(iter(left.values())).ref
    resource = resource_of(first.kind)
    named = {"apiVersion": resource.api_version, "kind": resource.kind}
    async for page in cluster.pages(collection_of(first.kind, first.namespace)):
        wanted = [raw for raw in msgspec.json.decode(page, type=_Page).items or () if _uid(raw) in left]
        for start in range(0, len(wanted), BATCH):
            manifests: list[dict[str, Any]] = [msgspec.json.decode(raw) for raw in wanted[start : start + BATCH]]
            yield [(left.pop(each["metadata"]["uid"]), each | named) for each in manifests]


def _uid(raw: Raw) -> str:
    return msgspec.json.decode(raw, type=_Item).metadata.uid
