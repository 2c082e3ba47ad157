"""The actions on cleanup, in the order of the catalogue."""

from auto_healing.actions.cleanup.clean_autoscalers import CleanAutoscalers
from auto_healing.actions.cleanup.clean_config_maps import CleanConfigMaps
from auto_healing.actions.cleanup.clean_crash_loops import CleanCrashLoops
from auto_healing.actions.cleanup.clean_disruption_budgets import CleanDisruptionBudgets
from auto_healing.actions.cleanup.clean_evicted_pods import CleanEvictedPods
from auto_healing.actions.cleanup.clean_failed_pods import CleanFailedPods
from auto_healing.actions.cleanup.clean_jobs import CleanJobs
from auto_healing.actions.cleanup.clean_replica_sets import CleanReplicaSets
from auto_healing.actions.cleanup.clean_secrets import CleanSecrets
from auto_healing.actions.cleanup.clean_services import CleanServices
from auto_healing.actions.cleanup.clean_volume_claims import CleanVolumeClaims
from auto_healing.actions.cleanup.clean_volumes import CleanVolumes
from auto_healing.actions.cleanup.engine import Cleanup

CLEANUP_ACTIONS: tuple[Cleanup, ...] = (
    CleanCrashLoops(),
    CleanEvictedPods(),
    CleanFailedPods(),
    CleanJobs(),
    CleanReplicaSets(),
    CleanConfigMaps(),
    CleanSecrets(),
    CleanVolumeClaims(),
    CleanServices(),
    CleanDisruptionBudgets(),
    CleanAutoscalers(),
    CleanVolumes(),
)
CLEANUP_BY_CODE = {rule.code: rule for rule in CLEANUP_ACTIONS}
