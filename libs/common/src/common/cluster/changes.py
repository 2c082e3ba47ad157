"""What the store says happened."""

from msgspec import Struct

from common.cluster.rows import Row
from common.contracts.objects import ObjectKey

NODE_USAGE = "NodeUsage"
POD_USAGE = "PodUsage"


class RowChange(Struct, frozen=True, gc=False, kw_only=True):
    """One object came (`before` is None), changed or went (`after` is None).

    `kind` is the kind of the rows, or "NodeUsage" / "PodUsage" when what metrics.k8s.io says of the node or pod
    `key` changed; such a change carries no rows.
    """

    kind: str
    key: ObjectKey
    before: Row | None = None
    after: Row | None = None
    received_at: float = 0.0  # monotonic seconds, when its bytes arrived
