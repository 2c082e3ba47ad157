"""Live objects as rows, so that what decides about them is the same before a step and during it."""

from typing import TypeVar

import msgspec

from auto_healing.kube.cluster import Manifest
from common.cluster.kinds import KINDS
from common.cluster.rows import Row
from common.contracts import ObjectRef

R = TypeVar("R", bound=Row)

_KINDS = {kind.row: (msgspec.json.Decoder(kind.shape), kind) for kind in KINDS}


def live_row(kind: type[R], manifest: Manifest) -> R:
    """The row of an object that was just read."""
    decoder, made = _KINDS[kind]
    shape = decoder.decode(msgspec.json.encode(manifest))
    row = made.to_row(shape, None) if made.reuses else made.to_row(shape)
    assert isinstance(row, kind)  # noqa: S101 - the table above says so
    return row


def ref_of(manifest: Manifest) -> ObjectRef:
    """The life of the object that was just read."""
    metadata = manifest["metadata"]
    return ObjectRef(
        kind=manifest["kind"], namespace=metadata.get("namespace", ""), name=metadata["name"], uid=metadata["uid"]
    )
