"""The words by which lists can be filtered: what may stand in entries of the ledger and in runs."""

from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.choosing import CLEANUP, POLICY, TARGET
from auto_healing.cleanup.planning import BLAST_RADIUS
from auto_healing.decide import BACKLOG
from auto_healing.drafting import ACTION
from auto_healing.guards import GUARDS_BY_CODE
from auto_healing.kube.paths import RESOURCES_BY_KIND
from auto_healing.leased import ChangeState
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.policy.codes import KIND_OF_CODE
from auto_healing.storage.proposing import ONE_RUN
from auto_healing.storage.run_entries import Told
from auto_healing.unanswered import A_PERSON

KINDS = frozenset({*RESOURCES_BY_KIND, *KIND_OF_CODE.values(), "Cluster", "Zone"})
ACTIONS = frozenset({*ACTIONS_BY_CODE, "restore"})
# Guards, and who else says no.
REFUSING = frozenset(
    {*GUARDS_BY_CODE, POLICY, TARGET, CLEANUP, ACTION, BACKLOG, BLAST_RADIUS, ONE_RUN, CALL_A_HUMAN, A_PERSON}
)
EVENTS = frozenset(
    {
        *Told,
        *(f"change-{state}" for state in ChangeState),
        *("change-leased", "change-returning", "change-return-asked", "change-extended"),
        *("cordon-orphaned", "cordon-lifting", "cordon-lifted", "fencing-withdrawn"),
        *("marked", "unmarked", "told", "scan-asked", "deleting", "spared"),
        *("restore-started", "restore-refused", "restore-failed", "restored"),
        *("paused", "pause-lifted", "ledger-rotated", "runs-removed"),
    }
)
