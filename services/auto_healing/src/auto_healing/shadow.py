"""Earned autonomy: what a rule has shown, watching or acting, and what follows from that. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auto_healing.fault import Fault
from auto_healing.plan import Mode, Plan
from auto_healing.policy.settings import Promotion
from common.contracts import ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCase:
    """Trouble that a rule would have acted upon."""

    rule: str
    action: str
    object: ObjectKey  # that the fault is laid upon
    code: str
    at: datetime
    declined: bool  # a guard would have stopped it
    fits: bool | None  # what it displaces would have found a place; None: it was not placed


def case_of(plan: Plan, at: datetime) -> ShadowCase | None:
    """What an observed plan shows; None for one that names no remedy, or is not only observed."""
    if plan.mode is not Mode.OBSERVE or not plan.steps or not plan.fault.findings:
        return None
    displaced = [each for step in plan.steps for each in step.displaces]
    placed = not plan.declined or bool(displaced)
    return ShadowCase(
        rule=plan.rule,
        action=plan.steps[0].action,
        object=plan.fault.subject,
        code=plan.fault.findings[0].code,
        at=at,
        declined=bool(plan.declined),
        fits=not any(each.fits_nowhere for each in displaced) if placed else None,
    )


def troubles(faults: Sequence[Fault]) -> frozenset[tuple[str, ObjectKey]]:
    """What is open now, by code: about the objects themselves and what their faults are laid upon.

    Both, so that trouble which is merely attributed differently than before does not count as gone.
    """
    return frozenset(
        (finding.code, key)
        for fault in faults
        for finding in fault.findings
        for key in (fault.subject, finding.object.key)
    )


class AutonomyAdvice(StrEnum):
    PROMOTE = "promote"
    STAY = "stay"
    DEMOTE = "demote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of one rule within the window."""

    watched: int = 0  # cases whose end is known, and that no guard would have stopped
    went_away: int = 0  # of those: the trouble ended by itself
    misfits: int = 0  # of those: a displaced pod would have found no place
    declined: int = 0  # cases that a guard would have stopped
    open: int = 0  # cases whose end is not known yet
    runs: int = 0  # that acted and were judged
    healed: int = 0  # of those, for good: it did not come back within a day
    failures_in_row: int = 0  # newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Autonomy:
    """What a rule may do, what it has shown, and what is recommended. `reasons` are sentences with numbers."""

    rule: str
    mode: Mode
    tally: Tally
    false_need_ratio: float | None  # 0 to 1; None: no case is known
    misfit_ratio: float | None
    success_ratio: float | None
    advice: AutonomyAdvice
    recommended: Mode
    reasons: tuple[str, ...]


def autonomy(rule: str, mode: Mode, tally: Tally, thresholds: Promotion, *, acts: bool = True) -> Autonomy:
    """`acts`: whether the rule's ladder names any remedy, whose use is to be shown."""
    recommended, reasons = _JUDGES[mode](tally, thresholds) if acts else (mode, [_NO_REMEDY])
    order = list(Mode)
    step = order.index(recommended) - order.index(mode)
    return Autonomy(
        rule=rule,
        mode=mode,
        tally=tally,
        false_need_ratio=_ratio(tally.went_away, tally.watched),
        misfit_ratio=_ratio(tally.misfits, tally.watched),
        success_ratio=_ratio(tally.healed, tally.runs),
        advice=AutonomyAdvice.PROMOTE if step > 0 else AutonomyAdvice.DEMOTE if step < 0 else AutonomyAdvice.STAY,
        recommended=recommended,
        reasons=tuple(reasons),
    )


_NO_REMEDY = "it only calls a human, in every mode that is not off: there is nothing to promote"


def _off(tally: Tally, thresholds: Promotion) -> tuple[Mode, list[str]]:
    return Mode.OFF, ["it is off, and shows nothing"]


def _observed(tally: Tally, thresholds: Promotion) -> tuple[Mode, list[str]]:
    if tally.watched < thresholds.cases:
        return Mode.OBSERVE, [f"{tally.watched} of the {thresholds.cases} cases that are needed are known"]
    against = [
        *_too_many(tally.went_away, tally.watched, thresholds.false_need_ratio, "went away by themselves"),
        *_too_many(tally.misfits, tally.watched, thresholds.misfit_ratio, "would have left a pod without a place"),
    ]
    if against:
        return Mode.OBSERVE, against
    return Mode.APPROVE, [
        f"{tally.went_away} of {tally.watched} cases went away by themselves, {tally.misfits} would not have fitted"
    ]


def _approved(tally: Tally, thresholds: Promotion) -> tuple[Mode, list[str]]:
    if tally.failures_in_row >= thresholds.failures:
        return Mode.OBSERVE, [f"the last {tally.failures_in_row} runs failed"]
    if tally.runs < thresholds.cases:
        return Mode.APPROVE, [f"{tally.runs} of the {thresholds.cases} runs that are needed are known"]
    healed = f"{tally.healed} of {tally.runs} runs healed for good"
    if tally.failures_in_row or tally.healed < thresholds.success_ratio * tally.runs:
        last = "; the last one failed" if tally.failures_in_row else ""
        return Mode.APPROVE, [f"{healed}, {thresholds.success_ratio:.0%} are needed{last}"]
    return Mode.AUTO, [healed]


def _automatic(tally: Tally, thresholds: Promotion) -> tuple[Mode, list[str]]:
    if tally.failures_in_row >= thresholds.failures:
        return Mode.APPROVE, [f"the last {tally.failures_in_row} runs failed"]
    healed = f"{tally.healed} of {tally.runs} runs healed for good"
    if tally.runs >= thresholds.cases and tally.healed < thresholds.success_ratio * tally.runs:
        return Mode.APPROVE, [f"{healed}, {thresholds.success_ratio:.0%} are needed"]
    return Mode.AUTO, [healed]


_JUDGES = {Mode.OFF: _off, Mode.OBSERVE: _observed, Mode.APPROVE: _approved, Mode.AUTO: _automatic}


def _too_many(count: int, total: int, most: float, what: str) -> list[str]:
    return [f"{count} of {total} cases {what}, {most:.0%} at most are allowed"] if count > most * total else []


def _ratio(count: int, total: int) -> float | None:
    return round(count / total, 3) if total else None
