"""What a person decides about a run: the run as it is then, or why not. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from auto_healing.run import MOVES, Run, RunState
from common.web.auth import Identity

# A yes is for now: a run that could not begin for so long is asked about again.
APPROVAL_HOLDS = timedelta(minutes=15)
_DENIABLE = frozenset({RunState.AWAITING_APPROVAL, RunState.APPROVED})
_APPROVED = frozenset({RunState.APPROVED, RunState.RUNNING, RunState.VERIFYING, RunState.HEALED})
_UNDOABLE = frozenset({RunState.RUNNING, RunState.VERIFYING, RunState.HEALED, RunState.FAILED})


class NotNow(Exception):
    """The run is in no state for what is asked; the message says which, for people."""


def approved(run: Run, by: Identity, at: datetime, *, person: str = "") -> Run:
    """`person`: for whom `by` speaks, when not for itself. The same yes once more changes nothing: its first answer may
    have been lost. Raises NotNow unless it waits for approval.
    """
    if run.state in _APPROVED and run.approved_by == (person or by.name):
        return run
    if run.state is RunState.EXPIRED or (run.state is RunState.AWAITING_APPROVAL and is_late(run, at)):
        raise NotNow(
            "the run is expired, as nobody approved it in time; while its cause lasts, another one is proposed, though "
            "later when many were left unanswered"
        )
    if run.state is not RunState.AWAITING_APPROVAL:
        who = f", by {run.approved_by}" if run.approved_by else ""
        raise NotNow(f"the run is {run.state}{who}: it does not wait for approval")
    return replace(
        run,
        state=RunState.APPROVED,
        updated_at=at,
        approved_by=person or by.name,
        vouched_by=by.name if person else "",
        approver_groups=tuple(sorted(by.groups)),
        approval_expires_at=at + APPROVAL_HOLDS,
    )


def denied(run: Run, by: str, reason: str, at: datetime) -> Run:
    """One that is declined already is as wanted. Raises NotNow when it has begun or ended otherwise."""
    if run.state is RunState.DECLINED:
        return run
    if run.state not in _DENIABLE:
        raise NotNow(f"the run is {run.state}, which is too late to deny it")
    message = reason or f"denied by {by}"
    return replace(run, state=RunState.DECLINED, updated_at=at, ended_at=at, reason=message)


def undo_wanted(run: Run, by: str, reason: str) -> Run:
    """Raises NotNow when nothing can have been done."""
    if run.state not in _UNDOABLE:
        instead = " yet: deny it instead" if run.state in _DENIABLE else ""
        raise NotNow(f"the run is {run.state}: there is nothing to undo{instead}")
    if run.undo_by:
        raise NotNow(f"{run.undo_by} has asked for it already")
    return replace(run, undo_by=by, undo_reason=reason)


def is_late(run: Run, at: datetime) -> bool:
    """Whether the time is over in which it could be approved, or begun after that."""
    return run.approval_expires_at is not None and run.approval_expires_at <= at


def is_due(run: Run) -> bool:
    """Whether there is something to be done for it in the cluster."""
    return run.state in (RunState.APPROVED, RunState.RUNNING) or (bool(run.undo_by) and run.state in _UNDOABLE)


def may_follow(before: RunState, then: RunState) -> bool:
    """A step of a run leaves it in its state."""
    return before is then or then in MOVES.get(before, frozenset())


def after(run: Run, now: datetime) -> datetime:
    """An instant later than the run's last change, also when the clock was set back: it tells the changes apart."""
    return max(now, run.updated_at + timedelta(microseconds=1))
