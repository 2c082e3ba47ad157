"""Live objects as rows, so that what decides about them is the same before and during a step."""

from typing import TypeVar

import msgspec

from auto_healing.kube.cluster import Manifest
from common.cluster.decode.nodes import NodeShape, node_row
from common.cluster.decode.pods import PodShape, pod_row
from common.cluster.rows import NodeRow, PodRow, Row, kind_name

R = TypeVar("R", bound=Row)

_NODES = msgspec.json.Decoder(NodeShape)
_PODS = msgspec.json.Decoder(PodShape)


def of_kind(kind: type[R], row: Row) -> R:
    """The row as what it is. Raises ValueError when an action is asked for on an object that it is not for."""
    if not isinstance(row, kind):
        raise ValueError(f"this is for a {kind_name(kind)}, not for {row.key}")  # noqa: TRY004 - a wrong request
    return row


def live_node(manifest: Manifest) -> NodeRow:
    return node_row(_NODES.decode(msgspec.json.encode(manifest)))


def live_pod(manifest: Manifest) -> PodRow:
    return pod_row(_PODS.decode(msgspec.json.encode(manifest)))
