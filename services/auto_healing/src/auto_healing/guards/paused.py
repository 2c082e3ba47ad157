"""People said stop."""

from typing import ClassVar

from auto_healing.facts import Facts, Pause
from auto_healing.plan import Decline, Step


class Paused:
    code: ClassVar[str] = "paused"
    title: ClassVar[str] = "Has somebody paused healing, everywhere or in a namespace that the step touches?"
    looks_at: ClassVar[str] = (
        "The pauses that are in force, with their reason and end. A pause of a namespace also stops steps that "
        "displace pods of that namespace, such as a drain."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        touched = {"", step.target.namespace, *(each.pod.namespace for each in step.displaces)}
        holding = [
            pause
            for pause in facts.pauses
            if pause.namespace in touched and (pause.until is None or pause.until > facts.now)
        ]
        if not holding:
            return None
        last = max(holding, key=lambda pause: (pause.until is None, pause.until or facts.now))
        return Decline(
            guard=self.code,
            message=_message(last),
            numbers={"pauses": len(holding)},
            look_again_at=last.until,
        )


def _message(pause: Pause) -> str:
    place = f"in namespace {pause.namespace}" if pause.namespace else "everywhere"
    end = f"until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else "until the pause is lifted"
    return f"{pause.by} has paused healing {place} {end}: {pause.reason}"
