"""Temporary changes as values: what was changed for a while, where it is, and whose it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from auto_healing.actions.action import Change
from auto_healing.run import RunState
from common.contracts import ObjectKey


class ChangeState(StrEnum):
    """Where a leased change is. From `returned` on it has ended."""

    HELD = "held"
    RETURNED = "returned"
    CONFLICT = "conflict"  # somebody edited it since: it was left as it is
    GONE = "gone"  # the object is


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedChange:
    """A change and its life. `reason` tells how it ended."""

    id: UUID
    run_id: UUID
    change: Change
    made_at: datetime
    state: ChangeState
    ended_at: datetime | None = None
    reason: str = ""

    @property
    def key(self) -> ObjectKey:
        return self.change.target.key

    @property
    def field(self) -> tuple[ObjectKey, str, tuple[str, ...]]:
        """What it changes: of two changes of one field, the one that ends last takes it back."""
        return (self.key, self.change.target.uid, self.change.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBrief:
    """What the owner of a change is: enough to tell whether it still cares."""

    state: RunState
    by_hand: bool
