"""PersistentVolumeClaims and PersistentVolumes."""

from functools import lru_cache

from common.cluster.decode.meta import Meta, Shape, cut, head, instant_or_none, word
from common.cluster.decode.scheduling import NodeSelectorShape, node_terms_of
from common.cluster.quantity import whole
from common.cluster.rows import NodeTerm, PersistentVolumeClaimRow, PersistentVolumeRow


class StorageShape(Shape, frozen=True, gc=False, rename="camel"):
    storage: str | int | float | None = None


class ClaimResourcesShape(Shape, frozen=True, gc=False, rename="camel"):
    requests: StorageShape | None = None


class ClaimSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    resources: ClaimResourcesShape | None = None
    volume_name: str | None = None
    storage_class_name: str | None = None
    access_modes: tuple[str, ...] | None = None


class PhaseShape(Shape, frozen=True, gc=False, rename="camel"):
    phase: str | None = None
    message: str | None = None
    reason: str | None = None
    last_phase_transition_time: str | None = None


class ClaimStatusShape(PhaseShape, frozen=True, gc=False, rename="camel"):
    access_modes: tuple[str, ...] | None = None


class ClaimShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: ClaimSpecShape = ClaimSpecShape()
    status: ClaimStatusShape = ClaimStatusShape()


def claim_row(claim: ClaimShape) -> PersistentVolumeClaimRow:
    spec = claim.spec
    requests = spec.resources.requests if spec.resources else None
    storage = requests.storage if requests else None
    return PersistentVolumeClaimRow(
        **head(claim.metadata),
        phase=word(claim.status.phase),
        volume=spec.volume_name or "",
        storage_class=word(spec.storage_class_name),
        requested_bytes=0 if storage is None else whole(str(storage)),
        access_modes=_shared(claim.status.access_modes or spec.access_modes or ()),
    )


@lru_cache(maxsize=64)
def _shared(words: tuple[str, ...]) -> tuple[str, ...]:
    return words


class ClaimRefShape(Shape, frozen=True, gc=False, rename="camel"):
    namespace: str | None = None
    name: str | None = None


class VolumeAffinityShape(Shape, frozen=True, gc=False, rename="camel"):
    required: NodeSelectorShape | None = None


class VolumeSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    claim_ref: ClaimRefShape | None = None
    persistent_volume_reclaim_policy: str | None = None
    storage_class_name: str | None = None
    node_affinity: VolumeAffinityShape | None = None


class VolumeShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: VolumeSpecShape = VolumeSpecShape()
    status: PhaseShape = PhaseShape()


def volume_row(volume: VolumeShape) -> PersistentVolumeRow:
    spec, status = volume.spec, volume.status
    claim = spec.claim_ref or ClaimRefShape()
    return PersistentVolumeRow(
        **head(volume.metadata),
        phase=word(status.phase),
        reason=word(status.reason),
        message=cut(status.message),
        claim_namespace=word(claim.namespace),
        claim_name=claim.name or "",
        reclaim_policy=word(spec.persistent_volume_reclaim_policy),
        storage_class=word(spec.storage_class_name),
        phase_changed_at=instant_or_none(status.last_phase_transition_time),
        node_terms=_node_terms(spec.node_affinity),
    )


@lru_cache(maxsize=4096)
def _node_terms(shape: VolumeAffinityShape | None) -> tuple[NodeTerm, ...]:
    """Volumes of one zone share one value."""
    return node_terms_of(shape.required if shape else None)
