"""Which former revision of a workload was healthy, and how that is known. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Generic, Protocol, TypeVar


class Version(Protocol):
    """What is to be known of a revision. `ready` counts pods of it that are ready now."""

    @property
    def number(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...

    @property
    def ready(self) -> int: ...


V = TypeVar("V", bound=Version)


@dataclass(frozen=True, slots=True)
class Healthy(Generic[V]):
    """The revision to go back to, and how it is known to have been healthy, for people."""

    revision: V
    known_by: str


def last_healthy(
    revisions: Sequence[V], *, served: timedelta, alike: Callable[[V, V], bool] = lambda _one, _other: False
) -> Healthy[V] | None:
    """The newest former revision that is known to work. `revisions` are in order, the newest last.

    A revision whose pods are ready right now works: a rollout that fails leaves them in place. Where the newest
    revision has replaced all others before it began to fail, nothing of a former one runs any more. Then the one that
    was replaced last is taken, if it was in service for at least `served`: nobody leaves what fails for so long.
    One that is `alike` to the newest, such as the one before a restart, is no way back.
    """
    former = [(revision, after) for revision, after in pairwise(revisions) if not alike(revision, revisions[-1])]
    for revision, _ in reversed(former):
        if revision.ready:
            pods = "1 pod is" if revision.ready == 1 else f"{revision.ready} pods are"
            return Healthy(revision, f"{pods} of revision {revision.number} and Ready right now")
    return _served(*former[-1], served) if former else None


def _served(last: V, after: V, served: timedelta) -> Healthy[V] | None:
    """One that is newer than what came after it was left for it before: then nothing is known of its service."""
    lasted = after.created_at - last.created_at
    if lasted < served:
        return None
    return Healthy(last, f"revision {last.number} was in service for {_period(lasted)} until another replaced it")


def _period(lasted: timedelta) -> str:
    hours = lasted.total_seconds() / 3600
    return (
        f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
    )


def none_known(name: str, revisions: Sequence[Version], served: timedelta) -> str:
    """Why there is none, one sentence."""
    if len(revisions) < 2:
        return f"{name} has no former revision to go back to"
    return (
        f"no former revision of {name} is known to have been healthy: no pod of one is Ready, and the last was not in "
        f"service for {_period(served)}"
    )
