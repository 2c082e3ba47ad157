"""The live cluster over the API server's own API: reads that never come from a cache, and guarded writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random
from typing import Any

import msgspec
import structlog

from auto_healing.kube import event, eviction
from auto_healing.kube.cluster import Manifest, NotActing
from auto_healing.kube.paths import Resource, collection_of, is_secret, path_of, resource_of
from common.clock import Clock
from common.cluster.decode.policies import PdbShape, pdb_row
from common.contracts import ObjectRef
from common.kube.api import JSON, MERGE_PATCH, Api, Params
from common.kube.errors import Conflict, Gone, Invalid, KubeError, NotFound
from common.kube.retry import Backoff, may_retry

log = structlog.get_logger(__name__)

PAGE = 500
ATTEMPTS = 5  # of a write that was certainly not carried out
WRITE_SECONDS = 15.0  # for one attempt: admission webhooks may take 10 by default
LOG_SECONDS = 5.0  # a kubelet that does not answer is not waited for
LOG_BYTES = 256 << 10
OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
OBJECTS = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class _Continue(msgspec.Struct):
    token: str | None = msgspec.field(name="continue", default=None)


class _Page(msgspec.Struct):
    metadata: _Continue


class _Pdbs(msgspec.Struct):
    items: tuple[PdbShape, ...] = ()


class LiveCluster:
    """Implements `Cluster`. `may_write` is asked before every attempt at a write, not only before the first.

    A write is tried again only when it was certainly not carried out; what else became of it, its caller finds out by
    reading, guarded by the uid.
    """

    def __init__(self, api: Api, may_write: Callable[[], bool], clock: Clock) -> None:
        self._api = api
        self._may_write = may_write
        self._clock = clock
        self._backoff = Backoff()
        self._random = Random()  # noqa: S311 - it spreads retries and guards no secret

    async def read(self, ref: ObjectRef) -> Manifest | None:
        resource = resource_of(ref.kind)
        accept = OBJECT if resource.secret else JSON
        try:
            found = await self._api.get(path_of(ref), accept=accept, type_=dict[str, Any])
        except NotFound:
            return None
        if ref.uid and found["metadata"]["uid"] != ref.uid:
            return None
        return _named(found, resource)

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Sequence[Manifest]:
        resource = resource_of(kind)
        path, accept = collection_of(kind, namespace), OBJECTS if resource.bulky else JSON
        params = {"labelSelector": labels} if labels else {}
        params |= {"fieldSelector": fields} if fields else {}
        try:
            return await self._list(path, params, accept, resource)
        except Gone:  # it took so long that its beginning is forgotten
            return await self._list(path, params, accept, resource)

    async def pages(self, path: str, *, metadata_only: bool = False) -> AsyncIterator[bytes]:
        """Raises Gone when its reader took so long that the server has forgotten the beginning."""
        async for page in self._pages(path, {}, OBJECTS if metadata_only or is_secret(path) else JSON):
            yield page

    async def _list(self, path: str, params: Params, accept: str, resource: Resource) -> Sequence[Manifest]:
        pages = [msgspec.json.decode(page) async for page in self._pages(path, params, accept)]
        return [_named(item, resource) for page in pages for item in page.get("items") or ()]

    async def _pages(self, path: str, params: Params, accept: str) -> AsyncIterator[bytes]:
        token: str | None = ""
        while True:
            wanted = {**params, "limit": str(PAGE), **({"continue": token} if token else {})}
            page = await self._api.request("GET", path, wanted, accept=accept)
            yield page
            token = msgspec.json.decode(page, type=_Page).metadata.token
            if not token:
                return

    async def logs(self, pod: ObjectRef, container: str, *, previous: bool, lines: int) -> str:
        params = {"container": container, "tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
        params |= {"previous": "true"} if previous else {}
        path = path_of(pod, "log")
        body = await self._api.request("GET", path, params, accept="*/*", timeout_seconds=LOG_SECONDS, attempts=1)
        return body.decode(errors="replace")

    async def evict(self, pod: ObjectRef, *, grace_seconds: int | None = None) -> bool:
        options = _delete_options(pod, grace_seconds=grace_seconds)
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": options,
        }
        try:
            await self._write("POST", path_of(pod, "eviction"), body)
        except NotFound:
            return False
        except Conflict:
            if await self.read(pod) is None:
                return False
            raise
        except KubeError as error:
            if eviction.forbids(error):
                raise eviction.blocked(error, pod.name, await self._pdbs_of(pod)) from error
            raise
        return True

    async def delete(
        self, ref: ObjectRef, *, resource_version: str = "", grace_seconds: int | None = None, orphan: bool = False
    ) -> bool:
        options = _delete_options(ref, grace_seconds=grace_seconds, resource_version=resource_version)
        try:
            await self._write(
                "DELETE", path_of(ref), options | {"propagationPolicy": "Orphan" if orphan else "Background"}
            )
        except NotFound:
            return False
        except Conflict:
            if await self.read(ref) is None:
                return False
            raise
        return True

    async def patch(self, ref: ObjectRef, body: Manifest, *, resource_version: str = "") -> Manifest:
        return await self._patch(ref, path_of(ref), body, resource_version)

    async def scale(self, ref: ObjectRef, replicas: int) -> None:
        await self._patch(ref, path_of(ref, "scale"), {"spec": {"replicas": replicas}})

    async def create(self, manifest: Manifest) -> Manifest:
        path = collection_of(manifest["kind"], manifest["metadata"].get("namespace", ""))
        created: Manifest = await self._write("POST", path, manifest)
        return created

    async def event(self, ref: ObjectRef, *, reason: str, message: str, warning: bool = False) -> None:
        now = self._clock.now()
        try:
            body = event.event_of(ref, reason=reason, message=message, warning=warning, now=now)
            await self._tell(body)
        except (KubeError, NotActing, ValueError) as error:  # ValueError: a zone or the cluster, which have no events
            log.info("no event written", object=str(ref.key), event_reason=reason, reason=str(error))

    async def _tell(self, body: dict[str, Any]) -> None:
        collection = collection_of("Event", body["metadata"]["namespace"])
        try:
            await self._write("POST", collection, body)
        except Conflict:  # told before
            path = f"{collection}/{body['metadata']['name']}"
            found = await self._api.get(path, type_=dict[str, Any])
            await self._write("PATCH", path, event.again(found, self._clock.now()), content_type=MERGE_PATCH)

    async def _patch(self, ref: ObjectRef, path: str, body: Manifest, resource_version: str = "") -> Manifest:
        metadata = {**body.get("metadata", {}), "uid": _uid_of(ref)}
        metadata |= {"resourceVersion": resource_version} if resource_version else {}
        try:
            patched: Manifest = await self._write(
                "PATCH", path, {**body, "metadata": metadata}, content_type=MERGE_PATCH
            )
        except Invalid as error:
            if "metadata.uid" in str(error):  # said of a uid that is not the object's: it cannot be changed
                raise Conflict(f"{ref.key} is not the object that was seen: it was made again since") from error
            raise
        return patched

    async def _pdbs_of(self, pod: ObjectRef) -> Sequence[str]:
        """Names of those that select it; none when they cannot be read, since the refusal stands without them."""
        try:
            found = await self.read(pod)
            answer = await self._api.get(collection_of("PodDisruptionBudget", pod.namespace), type_=_Pdbs)
        except KubeError:
            return ()
        labels = found["metadata"].get("labels") or {} if found else {}
        return eviction.selecting([pdb_row(shape) for shape in answer.items], labels)

    async def _write(self, method: str, path: str, body: Any, *, content_type: str = JSON) -> Any:
        attempt = 0
        while True:
            if not self._may_write():
                raise NotActing(f"{method} {path} was not sent: this replica does not lead, so it writes nothing")
            try:
                answer = await self._api.request(
                    method,
                    path,
                    body=body,
                    content_type=content_type,
                    accept=OBJECT if _secrets(path) else JSON,  # an answer to a write carries the data, too
                    timeout_seconds=WRITE_SECONDS,
                    attempts=1,
                )
            except KubeError as error:
                if attempt + 1 >= ATTEMPTS or eviction.forbids(error) or not may_retry(method, error):
                    raise
                delay = self._backoff.delay(attempt, self._random, error.retry_after_seconds)
            else:
                return msgspec.json.decode(answer)
            attempt += 1
            await asyncio.sleep(delay)


def _secrets(path: str) -> bool:
    return path.startswith("/api/v1/") and "secrets" in path.split("/")


def _named(found: dict[str, Any], resource: Resource) -> Manifest:
    """With its kind, which items of a list lack and partial metadata replaces."""
    return {**found, "apiVersion": resource.api_version, "kind": resource.kind}


def _uid_of(ref: ObjectRef) -> str:
    """Raises ValueError without one: a name alone may mean another object by now."""
    if not ref.uid:
        raise ValueError(f"{ref.key} cannot be written to without the uid of the object that was seen")
    return ref.uid


def _delete_options(ref: ObjectRef, *, grace_seconds: int | None, resource_version: str = "") -> dict[str, Any]:
    """Raises ValueError for a grace of 0: the API server would forget a pod that may still run."""
    if grace_seconds == 0:
        raise ValueError(f"{ref.key} must not be deleted with a grace of 0: it may still run when it is made again")
    preconditions = {"uid": _uid_of(ref)}
    preconditions |= {"resourceVersion": resource_version} if resource_version else {}
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
    return options | ({} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds})
