"""The one way to the API server for whoever acts: reads of single live objects, and every write."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from common.contracts import ObjectRef

Manifest = Mapping[str, Any]


class NotActing(Exception):
    """This replica may not write: another one leads, or nobody can tell. Nothing was sent."""


class EvictionBlocked(Exception):
    """A PodDisruptionBudget forbids it now (429), or several select the pod and it can never be evicted (500)."""

    def __init__(self, message: str, *, pdbs: Sequence[str], never: bool, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.pdbs = tuple(pdbs)
        self.never = never
        self.retry_after_seconds = retry_after_seconds


class Cluster(Protocol):
    """Reads are live, never from the snapshot. Writes raise NotActing unless this replica leads, and KubeErrors."""

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """The object as it is; None when it is gone, or another life of it (another uid) has taken its name."""

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Sequence[Manifest]:
        """Whole objects, page by page; for few of them only."""

    def pages(self, path: str, *, metadata_only: bool = False) -> AsyncIterator[bytes]:
        """The JSON of a list, page by page as the server sends it, for whoever decodes little of very many objects.

        `path` is a collection of any kind, also one that nothing here knows. Secrets always come as metadata only.
        """

    async def logs(self, pod: ObjectRef, container: str, *, previous: bool, lines: int) -> str: ...

    async def evict(self, pod: ObjectRef, *, grace_seconds: int | None = None) -> bool:
        """By the Eviction API with the uid as precondition. False: it is gone already. Raises EvictionBlocked."""

    async def delete(
        self, ref: ObjectRef, *, resource_version: str = "", grace_seconds: int | None = None, orphan: bool = False
    ) -> bool:
        """With the uid as precondition, and the version where one is given. False: it is gone already."""

    async def patch(self, ref: ObjectRef, body: Manifest, *, resource_version: str = "") -> Manifest:
        """A JSON merge patch with the uid, and the version where one is given, as preconditions: else Conflict."""

    async def scale(self, ref: ObjectRef, replicas: int) -> None:
        """By the scale subresource."""

    async def create(self, manifest: Manifest) -> Manifest: ...

    async def event(self, ref: ObjectRef, *, reason: str, message: str, warning: bool = False) -> None:
        """A Kubernetes Event on the object. Failing to write one is logged and is no error."""
