"""How far a drain is, as numbers and as words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.cluster.rows import PodRow
from common.contracts import ObjectRef
from common.contracts.health import Scalar

NAMED = 5  # pods that a message names


def ref_of(pod: PodRow) -> ObjectRef:
    return pod.key.ref(pod.uid)


def listed(words: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = [f"{len(words) - NAMED} more"] if len(words) > NAMED else []
    return ", ".join((*words[:NAMED], *more))


def named(pods: Sequence[PodRow]) -> str:
    return listed([f"{pod.namespace}/{pod.name}" for pod in pods])


@dataclass(slots=True)
class Progress:
    """Counted since this try began; `left` are those that should leave and are still there."""

    evicted: int = 0
    gone: int = 0
    volumes_attached: int = 0
    blocked: dict[ObjectRef, tuple[str, ...]] = field(default_factory=dict)  # pods by the budgets that hold them
    left: tuple[PodRow, ...] = ()
    stays: Mapping[str, int] = field(default_factory=dict)

    @property
    def numbers(self) -> Mapping[str, Scalar]:
        counts = {"evicted": self.evicted, "gone": self.gone, "left": len(self.left)}
        stays = {f"{why.replace('-', '_')}_pods": count for why, count in self.stays.items()}
        pdbs = sorted({pdb for pdbs in self.blocked.values() for pdb in pdbs})
        return counts | stays | {"volumes_attached": self.volumes_attached, "blocking_pdbs": ", ".join(pdbs)}

    @property
    def what_is_left(self) -> str:
        """The pods, and why each is still there."""
        return listed([f"{pod.namespace}/{pod.name} ({self._why(pod)})" for pod in self.left])

    def _why(self, pod: PodRow) -> str:
        if pdbs := self.blocked.get(ref_of(pod), ()):
            return f"held by PDB {', '.join(pdbs)}"
        return "terminating" if pod.deleted_at else "still running"
