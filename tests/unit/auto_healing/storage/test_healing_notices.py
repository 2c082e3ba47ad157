"""What people are told of an entry of the ledger, and of which they are told nothing."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.support.clock import NOON
from tests.support.healing_ledger import a_row, a_stored
from tests.support.healing_store import a_plan, a_stored_run

from auto_healing.notices import MOST_OBJECTS, kind_of, notice_of
from auto_healing.plan import Mode
from auto_healing.run import Run, RunState
from auto_healing.storage.ledger import LedgerEntry
from auto_healing.storage.run_entries import Told
from common.contracts import NoticeKind, ObjectKey

LATER = NOON + timedelta(hours=1)
FAULT = {"objects": [["Deployment", "shop", "web"], ["Pod", "shop", "web-1"], ["Pod", "shop", "web-2"]]}


def an_entry(event: str, data: dict[str, Any] | None = None, **changes: Any) -> LedgerEntry:
    values: dict[str, Any] = {"outcome": "", "guard": "", "actor": "auto_healing", "message": "why", **changes}
    return a_stored(a_row(event=event, data=msgspec.json.encode(data or {}).decode(), **values))


def a_refusal(data: dict[str, Any] | None = None, **changes: Any) -> LedgerEntry:
    given = {"rule": "crash-loops", "mode": "auto", "rung": 1, "fault": FAULT, **(data or {})}
    return an_entry("declined", given, **({"run_id": None, "guard": "cooldown", "actor": "policy"} | changes))


WAITING = a_stored_run(RunState.AWAITING_APPROVAL, approval_expires_at=LATER)
RUNNING = a_stored_run(RunState.RUNNING)
FIRST = {"step": 0, "try": 1}


@pytest.mark.parametrize(
    ("entry", "run", "kind"),
    [
        pytest.param(
            an_entry("proposed", outcome="awaiting-approval"),
            WAITING,
            NoticeKind.APPROVAL_WANTED,
            id="a run that waits for a person",
        ),
        pytest.param(
            an_entry("proposed", outcome="awaiting-approval"),
            a_stored_run(RunState.EXPIRED),
            None,
            id="a run that waited when it was stored, and does not any more",
        ),
        pytest.param(an_entry("proposed", outcome="awaiting-approval"), None, None, id="a run that is not kept"),
        pytest.param(an_entry("proposed", outcome="approved"), RUNNING, None, id="a run that the policy approved"),
        pytest.param(an_entry("proposed", outcome="observed"), RUNNING, None, id="a run that is observed"),
        pytest.param(an_entry("step-started", FIRST), RUNNING, NoticeKind.STARTED, id="the first step of a run"),
        pytest.param(an_entry("step-started", {"step": 1, "try": 1}), RUNNING, None, id="a later step"),
        pytest.param(an_entry("step-started", {"step": 0, "try": 2}), RUNNING, None, id="a step that is resumed"),
        pytest.param(an_entry("healed"), RUNNING, NoticeKind.HEALED, id="it helped"),
        pytest.param(an_entry("failed"), RUNNING, NoticeKind.FAILED, id="it did not help"),
        pytest.param(an_entry("undone"), RUNNING, NoticeKind.UNDONE, id="it was taken back"),
        pytest.param(an_entry("expired"), WAITING, NoticeKind.DECLINED, id="nobody approved it in time"),
        pytest.param(an_entry("declined", guard="approval"), WAITING, NoticeKind.DECLINED, id="a person said no"),
        pytest.param(a_refusal(), None, NoticeKind.DECLINED, id="a guard held it back"),
        pytest.param(
            an_entry("declined", {"step": 0}, guard="paused"), RUNNING, None, id="a guard stops a run on its way"
        ),
        pytest.param(a_refusal(guard="call-a-human", action=""), None, NoticeKind.HUMAN_NEEDED, id="a human is called"),
        pytest.param(a_refusal(action=""), None, None, id="no rule knows what to do"),
        pytest.param(a_refusal({"mode": "observe"}), None, None, id="a refusal of what is only observed"),
        pytest.param(
            a_refusal({"mode": "observe"}, guard="call-a-human", action=""),
            None,
            None,
            id="a human is called where healing only observes",
        ),
        *(
            pytest.param(an_entry(event), RUNNING, None, id=f"{event} is for the ledger alone")
            for event in (
                *("approved", "step-ended", "verifying", "resumed"),
                *("undo-asked", "undo-started", "undo-ended", "recurred"),
            )
        ),
        pytest.param(an_entry("runs-removed", run_id=None), None, None, id="what is about no run"),
    ],
)
def test_what_is_told(entry: LedgerEntry, run: Run | None, kind: NoticeKind | None) -> None:
    assert kind_of(entry, run) is kind
    notice = notice_of(entry, run, cluster="test")
    assert (None if notice is None else notice.kind) is kind


def test_every_word_of_the_ledger_about_runs_has_a_row_above() -> None:
    (rows,) = (mark.args[1] for mark in test_what_is_told.pytestmark)  # type: ignore[attr-defined]
    assert {row.values[0].event for row in rows} >= set(Told)


def test_a_refusal_says_what_it_was_about_and_when_it_is_looked_at_again() -> None:
    entry = a_refusal({"look_again_at": LATER.isoformat()})
    notice = notice_of(entry, None, cluster="test")
    assert notice is not None
    assert notice.subject.key == ObjectKey("Deployment", "shop", "web")
    assert [each.name for each in notice.objects] == ["web-1", "web-2"]
    assert (notice.guard, notice.rule, notice.attempt, notice.look_again_at) == ("cooldown", "crash-loops", 1, LATER)
    assert notice.message == "delete-pod of Pod shop/web-1 was declined: why"


def test_a_notice_is_the_same_however_often_it_is_made_and_no_two_entries_share_one() -> None:
    entry = a_refusal()
    assert notice_of(entry, None, cluster="test") == notice_of(entry, None, cluster="test")
    ids = {each.id for entry in (a_refusal(seq=1), a_refusal(seq=2)) if (each := notice_of(entry, None, cluster="c"))}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("entry", "run", "field", "value"),
    [
        pytest.param(
            an_entry("proposed", outcome="awaiting-approval"), WAITING, "approve_until", LATER, id="how long it waits"
        ),
        pytest.param(
            an_entry("step-started", FIRST),
            RUNNING,
            "deadline_at",
            NOON + timedelta(minutes=15),
            id="the time of its steps, and that in which it is watched",
        ),
        pytest.param(an_entry("healed"), RUNNING, "deadline_at", None, id="what has ended has no deadline"),
    ],
)
def test_until_when(entry: LedgerEntry, run: Run, field: str, value: datetime | None) -> None:
    notice = notice_of(entry, run, cluster="test")
    assert getattr(notice, field) == value


@pytest.mark.parametrize(
    ("entry", "run", "actor"),
    [
        pytest.param(
            an_entry("step-started", FIRST),
            a_stored_run(RunState.RUNNING, approved_by="ana"),
            "ana",
            id="who approved it began it",
        ),
        pytest.param(an_entry("step-started", FIRST), RUNNING, "policy", id="or whoever asked for it"),
        pytest.param(an_entry("declined", actor="ana"), WAITING, "ana", id="who said no"),
        pytest.param(an_entry("undone", {"undo_by": "ben"}), RUNNING, "ben", id="who wanted it undone"),
    ],
)
def test_whose_will_it_was(entry: LedgerEntry, run: Run, actor: str) -> None:
    notice = notice_of(entry, run, cluster="test")
    assert notice is not None
    assert notice.actor == actor


def test_a_storm_of_objects_and_a_long_message_fit_in_a_notice() -> None:
    objects = [["Node", "", "node-1"], *(["Pod", "shop", f"web-{number}"] for number in range(200))]
    notice = notice_of(a_refusal({"fault": {"objects": objects}}, message="x" * 9000), None, cluster="test")
    assert notice is not None
    assert (len(notice.objects), len(notice.message)) == (MOST_OBJECTS, 2000)


def test_no_word_of_the_ledger_is_too_long_for_a_notice() -> None:
    words = dict.fromkeys(("code", "action", "guard", "actor"), "x" * 999)
    assert notice_of(a_refusal({"rule": "y" * 999}, **words), None, cluster="z" * 999) is not None


def test_an_object_is_named_once_and_with_its_uid_where_it_is_known() -> None:
    notice = notice_of(an_entry("healed"), a_stored_run(RunState.HEALED, plan=a_plan(mode=Mode.AUTO)), cluster="test")
    assert notice is not None
    assert (notice.subject.name, notice.subject.uid, notice.objects) == ("checkout-1", "uid-checkout-1", ())
