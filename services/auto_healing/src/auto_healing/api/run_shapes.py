"""Runs as the API shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from auto_healing.actions.action import Result
from auto_healing.api.audit import AuditEntry
from auto_healing.fault import FaultLevel
from auto_healing.plan import Decline, Displacement, Harm, Mode, Step
from auto_healing.run import Run, RunState, StepState
from auto_healing.storage.evidence import EvidenceSummary
from auto_healing.storage.ledger import LedgerEntry
from auto_healing.storage.run_entries import VOUCHED_BY
from auto_healing.storage.run_rows import StoredStep
from common.contracts import Finding, ObjectRef
from common.contracts.health import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBrief:
    """One run without its plan."""

    id: UUID
    state: RunState
    rule: Annotated[str, Field(description="That wanted it; by-hand for a person's")]
    mode: Mode
    action: Annotated[str, Field(description="Of its first step; empty when there is none", examples=["delete-pod"])]
    target: Annotated[ObjectRef, Field(description="What it is about; no other run may be at work on it")]
    fault_level: FaultLevel
    code: Annotated[str, Field(description="Of the finding that led to it; empty by hand")]
    rung: Annotated[int, Field(description="Of the rule's ladder, from 0")]
    reason: Annotated[str, Field(description="Of its last move; before the first, why it is wanted")]
    requested_by: Annotated[str, Field(description="policy, or a person's name")]
    approved_by: Annotated[str, Field(description="Empty: nobody had to")]
    vouched_by: Annotated[str, Field(description="Service that passed the approval on; empty: it was given here")]
    approval_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    verifying_at: Annotated[datetime | None, Field(description="Since when it is watched whether it helped")]
    ended_at: datetime | None
    recurred_at: Annotated[datetime | None, Field(description="When the same came back, within a day of being healed")]
    undo_by: Annotated[str, Field(description="Who wants it undone; empty: nobody")]
    undo_reason: str
    previous: Annotated[UUID | None, Field(description="The run of a lower rung, whose failure led to this one")]
    score_before: Annotated[float | None, Field(description="Of the target, 0 to 100, as health_monitor told")]
    score_after: float | None
    seconds_to_heal: Annotated[float | None, Field(description="From the beginning of its finding until it was well")]

    @classmethod
    def of(cls, run: Run) -> "RunBrief":
        plan, findings = run.plan, run.plan.fault.findings
        return cls(
            id=run.id,
            state=run.state,
            rule=plan.rule,
            mode=plan.mode,
            action=plan.steps[0].action if plan.steps else "",
            target=plan.target,
            fault_level=plan.fault.level,
            code=findings[0].code if findings else "",
            rung=plan.rung,
            reason=run.reason or (plan.steps[0].reason if plan.steps else ""),
            requested_by=run.requested_by,
            approved_by=run.approved_by,
            vouched_by=run.vouched_by,
            approval_expires_at=run.approval_expires_at,
            created_at=run.created_at,
            updated_at=run.updated_at,
            started_at=run.started_at,
            verifying_at=run.verifying_at,
            ended_at=run.ended_at,
            recurred_at=run.recurred_at,
            undo_by=run.undo_by,
            undo_reason=run.undo_reason,
            previous=run.previous,
            score_before=run.score_before,
            score_after=run.score_after,
            seconds_to_heal=run.seconds_to_heal,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultShown:
    """Whose fault it is, and how that is known."""

    level: FaultLevel
    subject: Annotated[ObjectRef, Field(description="The pod, workload, node, zone or cluster it is laid upon")]
    findings: Sequence[Finding]
    evidence: Annotated[Sequence[str], Field(description="Sentences for people, with their numbers")]
    confidence: Annotated[float, Field(ge=0, le=1)]
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One action on one object: what was planned, and how far it is."""

    number: Annotated[int, Field(description="From 0")]
    action: str
    target: ObjectRef
    harm: Harm
    reason: str
    parameters: Mapping[str, Scalar]
    displaces: Annotated[Sequence[Displacement], Field(description="Pods it takes away, and where they would run")]
    changes: Annotated[Sequence[str], Field(description="What will be different")]
    timeout_seconds: float
    state: StepState
    tries: Annotated[int, Field(description="More than one after a crash")]
    started_at: datetime | None
    ended_at: datetime | None
    result: Result | None
    message: Annotated[str, Field(description="What came of it")]
    numbers: Mapping[str, Scalar]

    @classmethod
    def of(cls, planned: Step, stored: StoredStep) -> "StepShown":
        outcome = stored.outcome
        return cls(
            number=stored.number,
            action=planned.action,
            target=planned.target,
            harm=planned.harm,
            reason=planned.reason,
            parameters=planned.parameters,
            displaces=planned.displaces,
            changes=planned.changes,
            timeout_seconds=planned.timeout.total_seconds(),
            state=stored.state,
            tries=stored.tries,
            started_at=stored.started_at,
            ended_at=stored.ended_at,
            result=None if outcome is None else outcome.result,
            message="" if outcome is None else outcome.message,
            numbers={} if outcome is None else outcome.numbers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened, as one line."""

    at: datetime
    seconds: Annotated[float, Field(description="Since the run was stored")]
    event: Annotated[str, Field(examples=["step-started"])]
    by: Annotated[str, Field(description="A person's name, policy, or auto_healing, which carries out")]
    what: Annotated[str, Field(description="One sentence for people")]

    @classmethod
    def of(cls, entry: LedgerEntry, run: Run) -> "Moment":
        words = " ".join(filter(None, (entry.action, entry.outcome)))
        what = ": ".join(filter(None, (words, entry.message)))
        via = f" via {vouched}" if (vouched := entry.data.get(VOUCHED_BY)) else ""
        seconds = round((entry.at - run.created_at).total_seconds(), 3)
        return cls(at=entry.at, seconds=seconds, event=entry.event, by=f"{entry.actor}{via}", what=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShown:
    """One run with everything that is known of it."""

    run: RunBrief
    fault: FaultShown
    steps: Sequence[StepShown]
    declined: Annotated[Sequence[Decline], Field(description="Why it was refused when it was asked for")]
    expected_seconds: float
    verify_window_seconds: Annotated[float, Field(description="For how long it is watched whether it helped")]
    timeline: Sequence[Moment]
    ledger: Annotated[Sequence[AuditEntry], Field(description="Its entries, in order")]
    evidence: Annotated[Sequence[EvidenceSummary], Field(description="Bundles that were stored; read them by id")]

    @classmethod
    def of(
        cls,
        run: Run,
        steps: Sequence[StoredStep],
        entries: Sequence[LedgerEntry],
        evidence: Sequence[EvidenceSummary],
    ) -> "RunShown":
        plan, fault = run.plan, run.plan.fault
        return cls(
            run=RunBrief.of(run),
            fault=FaultShown(
                level=fault.level,
                subject=fault.subject.ref(),
                findings=fault.findings,
                evidence=fault.evidence,
                confidence=fault.confidence,
                revision=fault.revision,
            ),
            steps=[StepShown.of(plan.steps[step.number], step) for step in steps],
            declined=plan.declined,
            expected_seconds=plan.expected_seconds,
            verify_window_seconds=plan.verify_window.total_seconds(),
            timeline=[Moment.of(entry, run) for entry in entries],
            ledger=[AuditEntry.of(entry) for entry in entries],
            evidence=evidence,
        )
