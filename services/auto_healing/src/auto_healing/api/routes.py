"""Every router of the service, in the order of the documentation."""

from auto_healing.api import audit, changes, cleanup, evidence, intake, pauses, plans, policy, runs, shadow, statistics

ROUTERS = (
    runs.router,
    plans.router,
    audit.router,
    statistics.router,
    shadow.router,
    policy.router,
    pauses.router,
    changes.router,
    cleanup.router,
    evidence.router,
    intake.router,
)
