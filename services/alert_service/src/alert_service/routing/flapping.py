"""Whether an incident opens and resolves again and again. Pure."""

from datetime import datetime

from alert_service.incidents.incident import Incident
from alert_service.policy.suppression import FlappingPart


def flaps_until(incident: Incident, part: FlappingPart, now: datetime) -> datetime | None:
    """Until when it is kept quiet if it does not turn any more; None: it holds still.

    It begins with so many turns within so short a time, and goes on until there was none for a while.
    """
    turns = incident.turns
    if not turns or now - turns[-1] >= part.quiet_for:
        return None
    # Looked at from the newest back to the last quiet while: a few turns late in a long run keep it going.
    run = [turns[-1]]
    for turn in reversed(turns[:-1]):
        if run[-1] - turn >= part.quiet_for:
            break
        run.append(turn)
    many = any(run[start] - run[start + part.turns - 1] <= part.within for start in range(len(run) - part.turns + 1))
    return turns[-1] + part.quiet_for if many else None
