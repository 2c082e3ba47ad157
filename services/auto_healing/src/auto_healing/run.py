"""A run is one plan being carried out, from stored to verified."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from auto_healing.plan import Plan
from common.contracts import ObjectKey

SERVICE = "auto_healing"  # who acts, and who takes back what did not go well


class RunState(StrEnum):
    """Where a run is. From `healed` on it has ended."""

    PROPOSED = "proposed"  # stored; nothing decided about it yet, or observed only
    AWAITING_APPROVAL = "awaiting-approval"
    APPROVED = "approved"  # may start: by policy or by a person
    RUNNING = "running"
    VERIFYING = "verifying"  # all steps are done; whether it helped is being watched
    HEALED = "healed"
    FAILED = "failed"  # did not help, and could not be undone or has nothing to undo
    UNDONE = "undone"  # did not help, and was undone
    DECLINED = "declined"  # by a guard or a person, before it began or on its way; what had been done is taken back
    EXPIRED = "expired"  # nobody approved it in time
    OBSERVED = "observed"  # in the shadow: ended without anything having been done

    @property
    def ended(self) -> bool:
        return self in _ENDED


_ENDED = frozenset(
    {
        RunState.HEALED,
        RunState.FAILED,
        RunState.UNDONE,
        RunState.DECLINED,
        RunState.EXPIRED,
        RunState.OBSERVED,
    }
)

# Who may follow whom. The store refuses any other move, so that two replicas cannot take a run two ways.
MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.PROPOSED: frozenset(
        {RunState.AWAITING_APPROVAL, RunState.APPROVED, RunState.DECLINED, RunState.OBSERVED, RunState.EXPIRED}
    ),
    RunState.AWAITING_APPROVAL: frozenset({RunState.APPROVED, RunState.DECLINED, RunState.EXPIRED}),
    RunState.APPROVED: frozenset({RunState.RUNNING, RunState.DECLINED, RunState.EXPIRED}),
    RunState.RUNNING: frozenset({RunState.VERIFYING, RunState.FAILED, RunState.UNDONE, RunState.DECLINED}),
    RunState.VERIFYING: frozenset({RunState.HEALED, RunState.FAILED, RunState.UNDONE}),
    RunState.HEALED: frozenset({RunState.UNDONE}),  # by a person
    RunState.FAILED: frozenset({RunState.UNDONE}),
}


class StepState(StrEnum):
    """Where a step of a run is. `started` is stored before the first write to the cluster."""

    PENDING = "pending"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    UNDO_FAILED = "undo-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run happens, as it was when proposed: what the guards of later runs count by."""

    owner: ObjectKey  # top workload of the target, or the target itself
    node: str = ""
    zone: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """As stored and shown. `previous` is the run of the rung below, whose failure led to this one."""

    id: UUID
    plan: Plan
    state: RunState
    created_at: datetime
    updated_at: datetime
    requested_by: str  # "policy", or a person's name
    reason: str = ""  # of the last move, for people
    approved_by: str = ""
    approval_expires_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    previous: UUID | None = None
    score_before: float | None = None  # of the target, as health_monitor told
    score_after: float | None = None
    seconds_to_heal: float | None = None  # from the finding's beginning to healed
    place: Place
    verifying_at: datetime | None = None
    recurred_at: datetime | None = None  # the same finding on the same owner, within a day of being healed
    vouched_by: str = ""  # the service that passed the approval on, whose rights count then; empty: nobody had to
    approver_groups: tuple[str, ...] = ()  # of whoever's rights count
    undo_by: str = ""  # who wants it undone; empty: nobody
    undo_reason: str = ""

    @property
    def did_not_help(self) -> bool:
        """Whether the next rung is to be tried. What a person took back proves nothing, nor what was stopped."""
        return self.state in (RunState.FAILED, RunState.UNDONE) and self.undo_by in ("", SERVICE)
