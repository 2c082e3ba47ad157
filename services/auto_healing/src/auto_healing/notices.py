"""What people are told of an entry of the ledger, and of which entries they are told nothing. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from auto_healing.plan import Mode
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.run import Run, RunState
from auto_healing.storage.ledger import LedgerEntry
from auto_healing.storage.run_entries import Told
from common.contracts import Notice, NoticeKind, ObjectKey, ObjectRef

# As the contract has it.
MOST_OBJECTS = 50
_LONGEST, _LONGEST_NAME, _LONGEST_WORD = 2000, 300, 100
_ENDINGS = {
    Told.HEALED: NoticeKind.HEALED,
    Told.FAILED: NoticeKind.FAILED,
    Told.UNDONE: NoticeKind.UNDONE,
    Told.EXPIRED: NoticeKind.DECLINED,
}
_SAYS = {
    NoticeKind.APPROVAL_WANTED: "{what} waits for approval",
    NoticeKind.STARTED: "{what} has begun",
    NoticeKind.HEALED: "{what} helped",
    NoticeKind.FAILED: "{what} did not help",
    NoticeKind.UNDONE: "{what} was taken back",
    NoticeKind.DECLINED: "{what} was declined",
}


def notice_of(entry: LedgerEntry, run: Run | None, *, cluster: str) -> Notice | None:
    """`run` is the entry's, as it stands by now. None where nothing is to be told.

    What is only observed is for the ledger alone, and so is what no action was found for: nobody has asked for either.
    """
    kind = kind_of(entry, run)
    if kind is None:
        return None
    subject, *others = objects_of(entry, run)
    data = entry.data
    return Notice(
        id=entry.hash.hex(),
        kind=kind,
        at=entry.at,
        cluster=cluster[:_LONGEST_NAME],
        run_id=entry.run_id,
        subject=subject,
        objects=tuple(others[:MOST_OBJECTS]),
        code=entry.code[:_LONGEST_WORD],
        action=entry.action[:_LONGEST_WORD],
        rule=(data.get("rule", "") if run is None else run.plan.rule)[:_LONGEST_WORD],
        message=_message(kind, entry),
        guard=entry.guard[:_LONGEST_WORD],
        actor=_actor(kind, entry, run)[:_LONGEST_NAME],
        deadline_at=_deadline(entry, run) if kind is NoticeKind.STARTED else None,
        approve_until=run.approval_expires_at if run and kind is NoticeKind.APPROVAL_WANTED else None,
        look_again_at=_instant(data.get("look_again_at")),
        attempt=data.get("rung", 0) if run is None else run.plan.rung,
    )


def kind_of(entry: LedgerEntry, run: Run | None) -> NoticeKind | None:
    """None: nothing is told. An approval that nobody waits for by now is not asked for any more."""
    if entry.event == Told.PROPOSED:
        waits = run is not None and run.state is RunState.AWAITING_APPROVAL
        return NoticeKind.APPROVAL_WANTED if waits and entry.outcome == RunState.AWAITING_APPROVAL else None
    if entry.event == Told.STEP_STARTED:
        first = entry.data.get("step") == 0 and entry.data.get("try") == 1
        return NoticeKind.STARTED if first else None
    if entry.event == Told.DECLINED:
        return _declined(entry)
    return next((kind for event, kind in _ENDINGS.items() if event == entry.event), None)


def _declined(entry: LedgerEntry) -> NoticeKind | None:
    data = entry.data
    if data.get("mode") == Mode.OBSERVE:
        return None
    if entry.guard == CALL_A_HUMAN:
        return NoticeKind.HUMAN_NEEDED
    stopped_midway = "step" in data  # how that ends comes later
    return None if stopped_midway or not entry.action else NoticeKind.DECLINED


def objects_of(entry: LedgerEntry, run: Run | None) -> list[ObjectRef]:
    """The one that the fault is laid upon first, then those of its findings, and the target."""
    if run is not None:
        fault = run.plan.fault
        found = [fault.subject.ref(), *(finding.object for finding in fault.findings), run.plan.target]
    else:
        found = [ObjectKey(*each).ref() for each in entry.data.get("fault", {}).get("objects", ())]
        found.append(entry.object.ref())
    return _each_once(found)


def _each_once(found: Iterable[ObjectRef]) -> list[ObjectRef]:
    """In their order; of several of one key, the one that says most."""
    best: dict[ObjectKey, ObjectRef] = {}
    for each in found:
        if each.key not in best or each.uid:
            best[each.key] = each
    return list(best.values())


def _message(kind: NoticeKind, entry: LedgerEntry) -> str:
    """One sentence, with the words of the ledger."""
    if kind not in _SAYS:
        return entry.message[:_LONGEST]
    what = f"{entry.action or 'healing'} of {entry.object}"
    why = f": {entry.message}" if entry.message else ""
    return (_SAYS[kind].format(what=what) + why)[:_LONGEST]


def _actor(kind: NoticeKind, entry: LedgerEntry, run: Run | None) -> str:
    """Whose will it was; the service itself only carries it out."""
    if kind is NoticeKind.STARTED and run is not None:
        return run.approved_by or run.requested_by
    return str(entry.data.get("undo_by") or "") or entry.actor


def _deadline(entry: LedgerEntry, run: Run | None) -> datetime | None:
    """When it is judged at the latest."""
    if run is None:
        return None
    plan = run.plan
    return entry.at + sum((step.timeout for step in plan.steps), timedelta()) + plan.verify_window


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
