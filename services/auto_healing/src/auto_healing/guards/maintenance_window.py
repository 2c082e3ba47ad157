"""Some hours are not for healing."""

from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.windows import next_allowed
from auto_healing.plan import Decline, Step


class MaintenanceWindow:
    code: ClassVar[str] = "maintenance-window"
    title: ClassVar[str] = "Is healing allowed at this hour?"
    looks_at: ClassVar[str] = (
        "The policy's windows: days of the week or single dates, from and to, in their own time zone. Within a window "
        "of effect deny nothing is done; outside of all windows what `otherwise` says."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, _step: Step, facts: Facts) -> Decline | None:
        settings = facts.settings.maintenance_window
        why = settings.denied_by(facts.now)
        if not why:
            return None
        opens_at = next_allowed(settings, facts.now.replace(second=0, microsecond=0))
        again = f"; it is from {opens_at:%Y-%m-%d %H:%M} UTC on" if opens_at else ""
        return Decline(
            guard=self.code,
            message=f"Healing is not allowed now, {why}{again}",
            numbers={"windows": len(settings.windows)},
            look_again_at=opens_at,
        )
