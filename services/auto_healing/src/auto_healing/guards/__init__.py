"""Every guard, in the order in which they are asked: who is told "no" first reads the widest reason first."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from auto_healing.facts import Facts
from auto_healing.guards.alerts import Alerts
from auto_healing.guards.attempts import Attempts
from auto_healing.guards.capacity import Capacity
from auto_healing.guards.cooldown import Cooldown
from auto_healing.guards.disruption_budget import DisruptionBudget
from auto_healing.guards.fresh_view import FreshView
from auto_healing.guards.grace import Grace
from auto_healing.guards.guard import Guard
from auto_healing.guards.loop import Loop
from auto_healing.guards.maintenance_window import MaintenanceWindow
from auto_healing.guards.owner_in_flight import OwnerInFlight
from auto_healing.guards.paused import Paused
from auto_healing.guards.protected import Protected
from auto_healing.guards.quorum import Quorum
from auto_healing.guards.rate_limit import RateLimit
from auto_healing.guards.steps import census_of
from auto_healing.guards.still_true import StillTrue
from auto_healing.guards.storm import Storm
from auto_healing.guards.unhealthy_ratio import UnhealthyRatio
from auto_healing.plan import Decline, Harm, Step

logger = logging.getLogger(__name__)

GUARDS: tuple[Guard, ...] = (
    Paused(),
    Protected(),
    FreshView(),
    StillTrue(),
    OwnerInFlight(),
    Grace(),
    Cooldown(),
    Attempts(),
    Loop(),
    DisruptionBudget(),
    UnhealthyRatio(),
    Storm(),
    MaintenanceWindow(),
    Alerts(),
    RateLimit(),
    Quorum(),
    Capacity(),
)

GUARDS_BY_CODE = {guard.code: guard for guard in GUARDS}


def run(step: Step, facts: Facts, guards: Sequence[Guard] = GUARDS) -> tuple[Decline, ...]:
    """Every guard's veto, in order; empty allows. A guard that breaks vetoes: what cannot be told is no.

    Takes a census of the nodes unless the facts carry one: carry it through a round of many steps.
    """
    asked = [guard for guard in guards if step.harm is Harm.HARMFUL or guard.stops_restoring]
    if asked and facts.census is None:
        facts = replace(facts, census=census_of(facts))
    declines = (_ask(guard, step, facts) for guard in asked)
    return tuple(decline for decline in declines if decline is not None)


def _ask(guard: Guard, step: Step, facts: Facts) -> Decline | None:
    try:
        return guard.check(step, facts)
    except Exception as error:
        logger.exception("guard %s broke; it counts as a refusal", guard.code)
        return Decline(
            guard=guard.code,
            message=f"The guard {guard.code} broke ({type(error).__name__}: {error}), which counts as a refusal: "
            "report it, its traceback is in the log",
        )
