"""People said stop."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import ClassVar

from auto_healing.facts import Facts, Pause
from auto_healing.plan import Decline, Harm, Step


class Paused:
    code: ClassVar[str] = "paused"
    title: ClassVar[str] = "Has somebody paused healing, everywhere or in a namespace that the step touches?"
    looks_at: ClassVar[str] = (
        "The pauses that are in force, with their reason and end. A pause of a namespace also stops steps that "
        "displace pods of that namespace, such as a drain."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        holding = pauses_of(step, facts.pauses, facts.now)
        if not holding:
            return None
        last = max(holding, key=lambda pause: (pause.until is None, pause.until or facts.now))
        return Decline(
            guard=self.code,
            message=_message(last),
            numbers={"pauses": len(holding)},
            look_again_at=last.until,
        )


def stops(steps: Iterable[Step], pauses: Collection[Pause], now: datetime) -> bool:
    """Whether a person has said stop to what is under way. What restores goes on."""
    return any(pauses_of(step, pauses, now) for step in steps if step.harm is Harm.HARMFUL)


def pauses_of(step: Step, pauses: Iterable[Pause], now: datetime) -> list[Pause]:
    """Those in force that hold the step, also by the pods that it displaces."""
    touched = {"", step.target.namespace, *(each.pod.namespace for each in step.displaces)}
    return [each for each in pauses if each.namespace in touched and (each.until is None or each.until > now)]


def _message(pause: Pause) -> str:
    place = f"in namespace {pause.namespace}" if pause.namespace else "everywhere"
    end = f"until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else "until the pause is lifted"
    return f"{pause.by} has paused healing {place} {end}: {pause.reason}"
