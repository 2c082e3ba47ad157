"""What did not help a few times needs another cure, and a person."""

from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import counted, owner_of, tidies
from auto_healing.plan import Decline, Harm, Step


class Attempts:
    code: ClassVar[str] = "attempts"
    title: ClassVar[str] = "Has enough been tried on this workload and revision?"
    looks_at: ClassVar[str] = (
        "How many runs there were on the same workload and revision within the window, however they ended. At the "
        "limit it is blocked for a while after the last of them, and people are called; a new revision begins anew."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        if tidies(step):
            return None
        settings, owner, revision = facts.settings.attempts, owner_of(step, facts), facts.plan.fault.revision
        runs = [
            run
            for run in facts.history.of_owner(owner)
            if run.harm is Harm.HARMFUL
            and facts.now - run.started_at < settings.window
            and (run.revision == revision or not run.revision or not revision)  # not knowing it forgives nothing
        ]
        if len(runs) < settings.most:
            return None
        last = max((run.ended_at or run.started_at for run in runs), default=facts.now)
        until = last + settings.block
        if runs and facts.now >= until:
            return None
        of = f" at revision {revision}" if revision else ""
        hours = settings.window.total_seconds() / 3600
        return Decline(
            guard=self.code,
            message=f"{owner}{of} was acted on {counted(len(runs), 'time')} within {hours:g} h, and may be "
            f"{counted(settings.most, 'time')}: a person has to look",
            numbers={"attempts": len(runs), "most": settings.most, "window_seconds": settings.window.total_seconds()},
            look_again_at=until if runs else None,
        )
