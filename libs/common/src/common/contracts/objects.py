"""How a Kubernetes object is named, on the wire and as a key."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import Field

CLUSTER = "Cluster"
ZONE = "Zone"


class ObjectKey(NamedTuple):
    """Names an object within one cluster; cheap to hash. `namespace` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def ref(self, uid: str = "") -> "ObjectRef":
        return ObjectRef(kind=self.kind, namespace=self.namespace, name=self.name, uid=uid)

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}" if place else self.kind


_new = tuple.__new__  # half the price of calling the class: keys are made millions of times


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """Names an object, and with `uid` one life of it: a pod deleted and made again under its name has another uid."""

    kind: Annotated[str, Field(description="Kind, as in the Kubernetes API; also Cluster and Zone", examples=["Pod"])]
    name: Annotated[str, Field(description="Name; empty for the cluster itself", examples=["checkout-7d4b9c-x2x9z"])]
    namespace: Annotated[str, Field(description="Namespace; empty for cluster-scoped kinds")] = ""
    uid: Annotated[str, Field(description="metadata.uid of the object that was seen; empty where there is none")] = ""

    @property
    def key(self) -> ObjectKey:
        return _new(ObjectKey, (self.kind, self.namespace, self.name))
