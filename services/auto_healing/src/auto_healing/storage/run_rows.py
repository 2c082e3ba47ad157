"""Runs and steps as rows of their tables, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auto_healing.actions.action import Outcome
from auto_healing.plan import Plan
from auto_healing.run import Place, Run, RunState, StepState
from auto_healing.storage.plan_json import from_json, to_json
from common.contracts import ObjectRef

Values = dict[str, Any]

# What is the same in a Run and in its row.
_PLAIN = (
    "id",
    "requested_by",
    "reason",
    "approved_by",
    "vouched_by",
    "approval_expires_at",
    "created_at",
    "updated_at",
    "started_at",
    "verifying_at",
    "ended_at",
    "recurred_at",
    "undo_by",
    "undo_reason",
    "previous",
    "score_before",
    "score_after",
    "seconds_to_heal",
)
# What deciding about a run writes, and what carrying it out writes: somebody may ask for an undo at any time.
_DECISION = (
    "updated_at",
    "ended_at",
    "reason",
    "approved_by",
    "vouched_by",
    "approval_expires_at",
    "undo_by",
    "undo_reason",
)
_PROGRESS = ("reason", "updated_at", "started_at", "verifying_at", "ended_at", "score_after", "seconds_to_heal")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStep:
    """How far one step of a run is. `started_at` is of its last try; `outcome` is of the last thing that ended."""

    number: int
    action: str
    target: ObjectRef
    state: StepState = StepState.PENDING
    tries: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None


def run_values(run: Run, epoch: int) -> Values:
    """A whole row."""
    plan, target, findings = run.plan, run.plan.target, run.plan.fault.findings
    return {name: getattr(run, name) for name in _PLAIN} | {
        "state": run.state.value,
        "rule": plan.rule,
        "mode": plan.mode.value,
        "action": plan.steps[0].action if plan.steps else "",
        "kind": target.kind,
        "namespace": target.namespace,
        "name": target.name,
        "uid": target.uid,
        "owner": "/".join(run.place.owner),
        "code": findings[0].code if findings else "",
        "fault_level": plan.fault.level.value,
        "rung": plan.rung,
        "plan": to_json(plan),
        "place": to_json(run.place),
        "approver_groups": list(run.approver_groups),
        "epoch": epoch,
    }


def decision_values(run: Run) -> Values:
    """What a person's word changes."""
    return {name: getattr(run, name) for name in _DECISION} | {
        "state": run.state.value,
        "approver_groups": list(run.approver_groups),
    }


def progress_values(run: Run) -> Values:
    """What changes while a run is carried out."""
    return {name: getattr(run, name) for name in _PROGRESS} | {"state": run.state.value}


def run_of(row: Mapping[str, Any]) -> Run:
    return Run(
        **{name: row[name] for name in _PLAIN},
        state=RunState(row["state"]),
        plan=from_json(Plan, row["plan"]),
        place=from_json(Place, row["place"]),
        approver_groups=tuple(row["approver_groups"]),
    )


def first_steps(run: Run) -> list[Values]:
    """The rows of steps none of which has begun."""
    return [
        {
            "run_id": run.id,
            "number": number,
            "state": StepState.PENDING.value,
            "action": step.action,
            "kind": step.target.kind,
            "namespace": step.target.namespace,
            "name": step.target.name,
            "uid": step.target.uid,
            "tries": 0,
        }
        for number, step in enumerate(run.plan.steps)
    ]


def step_values(step: StoredStep) -> Values:
    """What changes while a step is carried out."""
    return {
        "state": step.state.value,
        "tries": step.tries,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "outcome": None if step.outcome is None else to_json(step.outcome),
    }


def step_of(row: Mapping[str, Any]) -> StoredStep:
    return StoredStep(
        number=row["number"],
        action=row["action"],
        target=ObjectRef(kind=row["kind"], namespace=row["namespace"], name=row["name"], uid=row["uid"]),
        state=StepState(row["state"]),
        tries=row["tries"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=None if row["outcome"] is None else from_json(Outcome, row["outcome"]),
    )
