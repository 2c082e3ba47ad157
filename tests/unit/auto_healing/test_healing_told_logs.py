"""What becomes of a run stands in the logs, each line with the run's id."""

from structlog.testing import capture_logs
from tests.support.healing_store import a_plan, a_stored_run

from auto_healing.actions.action import Outcome, Result
from auto_healing.metrics import SERVICE, Metrics
from auto_healing.plan import Decline
from auto_healing.run import Run, RunState
from auto_healing.storage.proposing import Answer, Proposal
from auto_healing.told import Told
from common.metrics import ServiceMetrics


def test_a_run_can_be_followed_by_its_id() -> None:
    told, plan = Told(Metrics(ServiceMetrics(SERVICE, "0"))), a_plan()
    run: Run = a_stored_run(plan=plan)
    ended: Run = a_stored_run(plan=plan, id=run.id, state=RunState.HEALED, reason="it is ready")
    with capture_logs() as lines:
        told.decided([Answer(proposal=Proposal(plan=plan), run=run)], 0.1)
        told.step_started(run, plan.steps[0])
        told.step_ended(run, plan.steps[0], Outcome(result=Result.BLOCKED, message="PDB shop"), 1.5)
        told.run_ended(ended)
    assert {line["run_id"] for line in lines} == {str(run.id)}
    assert {line["object"] for line in lines} == {str(plan.target.key)}
    assert [line["event"] for line in lines] == [
        "a run is stored",
        "a step has begun",
        "a step has ended",
        "a run has ended",
    ]
    assert (lines[2]["result"], lines[2]["reason"]) == ("blocked", "PDB shop")
    assert (lines[3]["state"], lines[3]["reason"]) == ("healed", "it is ready")


def test_a_storm_of_refusals_fills_no_log() -> None:
    told = Told(Metrics(ServiceMetrics(SERVICE, "0")))
    refused = Answer(proposal=Proposal(plan=a_plan()), declined=(Decline(guard="storm", message="it settles"),))
    with capture_logs() as lines:
        told.decided([refused] * 3, 0.1)
    assert {line["log_level"] for line in lines} == {"debug"}
