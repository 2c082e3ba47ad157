"""In which order pods leave a node, and which stay. Pure: the same before a drain and during it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from auto_healing.marks import DRAIN_ORDER, DRAIN_WAIT
from common.cluster.rows import PodRow

CRITICAL = frozenset({"system-cluster-critical", "system-node-critical"})


class Stays(StrEnum):
    """Why a pod is not waited for."""

    DAEMON_SET = "daemon-set"  # it would be made anew on the node at once
    MIRROR = "mirror"  # only its kubelet can end it
    FINISHED = "finished"  # it runs no longer
    SKIPPED = "skipped"  # its label says so
    STUCK = "stuck"  # it was told to go, and nobody is there to obey


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """`waves` leave one after the other; a wave is gone before the next is told to go."""

    waves: tuple[tuple[PodRow, ...], ...]
    stays: dict[Stays, int]
    bare: tuple[PodRow, ...]  # of those that leave, the ones that no controller makes anew

    @property
    def pods(self) -> tuple[PodRow, ...]:
        return tuple(pod for wave in self.waves for pod in wave)


def departure(pods: Iterable[PodRow], stuck: Collection[str] = ()) -> Departure:
    """`stuck` are the uids of pods that cannot be waited for."""
    leaving: list[PodRow] = []
    stays: dict[Stays, int] = {}
    for pod in pods:
        why = stays_because(pod) or (Stays.STUCK if pod.uid in stuck else None)
        if why is None:
            leaving.append(pod)
        else:
            stays[why] = stays.get(why, 0) + 1
    leaving.sort(key=lambda pod: (*rank(pod), pod.namespace, pod.name))
    waves = tuple(tuple(wave) for _, wave in groupby(leaving, rank))
    bare = tuple(pod for pod in leaving if pod.owner is None and not ends_by_itself(pod))
    return Departure(waves=waves, stays=stays, bare=bare)


def stays_because(pod: PodRow) -> Stays | None:
    if pod.mirror:
        return Stays.MIRROR
    if pod.finished:
        return Stays.FINISHED
    if pod.owner is not None and pod.owner.kind == "DaemonSet":
        return Stays.DAEMON_SET
    return Stays.SKIPPED if pod.labels.get(DRAIN_WAIT) == "skip" else None


def ends_by_itself(pod: PodRow) -> bool:
    """Whether it is to be waited for instead of being evicted."""
    return pod.labels.get(DRAIN_WAIT) == "wait"


def rank(pod: PodRow) -> tuple[int, int]:
    """By the number on its label first; then plain pods, pods with storage, critical pods."""
    tier = 2 if pod.priority_class in CRITICAL else 1 if pod.claims else 0
    return (_number(pod.labels.get(DRAIN_ORDER, "")), tier)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0  # none, or one that nobody can read
