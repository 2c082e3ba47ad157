"""Reads everything that could refer to something else, live and page by page, into references.

Kinds that are known are read for their references. All other kinds that the server has, custom resources above all, are
searched for the names. What may not be read makes blind.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from auto_healing.actions.cleanup import shapes, uses
from auto_healing.actions.cleanup.references import JUDGED, SECRET, References
from auto_healing.actions.cleanup.sources import HARMLESS_GROUPS, ONLY_SECRETS, SOURCES, Source, is_unknown
from auto_healing.kube.cluster import Cluster
from common.contracts import ObjectKey
from common.kube.errors import Forbidden, NotFound, Unavailable


class _Resource(Struct):
    name: str
    kind: str
    verbs: tuple[str, ...] = ()


class _Resources(Struct):
    resources: tuple[_Resource, ...] = ()


class _Version(Struct, rename="camel"):
    group_version: str


class _Group(Struct, rename="camel"):
    name: str
    versions: tuple[_Version, ...] = ()
    preferred_version: _Version | None = None


class _Groups(Struct):
    groups: tuple[_Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A kind that the server has and that is only searched for names."""

    kind: str
    path: str
    kinds: Collection[str]


async def survey(cluster: Cluster, names: Collection[str], labels: Collection[str] = ()) -> References:
    """References to objects of these names, and mentions of these keys of labels.

    Raises KubeErrors when the server does not answer: half of the references would be worse than none. What it forbids
    makes blind instead.
    """
    references = References(names, labels)
    unknown = [each async for each in _unknown_kinds(cluster, references)]
    for source in SOURCES:
        await _read(cluster, references, source)
    for each in unknown:
        await _search(cluster, references, each)
    return references


async def _read(cluster: Cluster, references: References, source: Source) -> None:
    decoder = msgspec.json.Decoder(_page_of(source.shape))
    try:
        async for page in cluster.pages(source.path, metadata_only=source.metadata_only):
            await asyncio.to_thread(_take_page, references, source, decoder, page)
    except NotFound:
        return  # it is not served, so there is none
    except (Forbidden, msgspec.MsgspecError) as error:
        references.blind(f"{source.kind}s ({error})", source.kinds)


def _take_page(references: References, source: Source, decoder: Any, page: bytes) -> None:
    for item in decoder.decode(page).items or ():
        _take(references, source, item)


def _take(references: References, source: Source, item: shapes.Item) -> None:
    by = ObjectKey(source.kind, item.metadata.namespace, item.metadata.name)
    used, words = source.extract(item)
    references.use(by, used)
    if words:
        references.mention(str(by), words, source.kinds, by=by)
    if annotated := uses.of_annotations(item.metadata):
        references.mention(f"the annotations of {by}", annotated, by=by)


async def _search(cluster: Cluster, references: References, unknown: Unknown) -> None:
    try:
        async for page in cluster.pages(unknown.path):
            words = await asyncio.to_thread(references.words_in, page.decode(errors="replace"))
            references.mention(f"an object of kind {unknown.kind}", words, unknown.kinds)
    except NotFound:
        return
    except Forbidden as error:
        references.blind(f"objects of kind {unknown.kind} ({error})", unknown.kinds)


async def _unknown_kinds(cluster: Cluster, references: References) -> AsyncIterator[Unknown]:
    """Each resource once, in the version that its group prefers, or in the only one that has it."""
    seen: set[tuple[str, str]] = set()
    for group, root in await _roots(cluster):
        try:
            found: _Resources = await _json(cluster, root, _Resources)
        except NotFound:
            continue
        except (Forbidden, Unavailable) as error:  # such as the server of an aggregated API that is away
            references.blind(f"whatever {root} serves ({error})")
            continue
        for resource in found.resources:
            if "list" not in resource.verbs or "/" in resource.name or (group, resource.name) in seen:
                continue
            seen.add((group, resource.name))
            if is_unknown(root, resource.kind):
                kinds = {SECRET} if resource.kind in ONLY_SECRETS else JUDGED
                yield Unknown(resource.kind, f"{root}/{resource.name}", kinds)


async def _roots(cluster: Cluster) -> list[tuple[str, str]]:
    """The groups and where their versions are, the preferred one of each first."""
    groups: _Groups = await _json(cluster, "/apis", _Groups)
    roots = [("", "/api/v1")]
    for group in groups.groups:
        if group.name not in HARMLESS_GROUPS:
            preferred = [group.preferred_version] if group.preferred_version else []
            versions = dict.fromkeys(each.group_version for each in (*preferred, *group.versions))
            roots += [(group.name, f"/apis/{version}") for version in versions]
    return roots


async def _json(cluster: Cluster, path: str, type_: Any) -> Any:
    async for page in cluster.pages(path):
        return msgspec.json.decode(page, type=type_)
    raise NotFound(f"{path}: no answer")


def _page_of(shape: type[shapes.Item]) -> Any:
    return msgspec.defstruct(f"PageOf{shape.__name__}", [("items", tuple[shape, ...] | None, None)])  # type: ignore[valid-type]
