"""What did not help a few times needs another cure, and a person."""

from datetime import datetime
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import counted, owner_of, tidies
from auto_healing.plan import Decline, Harm, Step
from common.contracts import ObjectKey


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
        runs = sorted(
            (
                run
                for run in facts.history.of_owner(owner)
                if run.harm is Harm.HARMFUL
                and (run.revision == revision or not run.revision or not revision)  # not knowing it forgives nothing
            ),
            key=lambda run: run.started_at,
        )
        if not settings.most:
            return self._no(owner, revision, 0, facts)
        last = runs[-settings.most :]
        if len(last) < settings.most or last[-1].started_at - last[0].started_at >= settings.window:
            return None
        until = max(run.ended_at or run.started_at for run in last) + settings.block
        if facts.now >= until:
            return None
        made = sum(last[-1].started_at - run.started_at < settings.window for run in runs)
        return self._no(owner, revision, made, facts, until)

    def _no(self, owner: ObjectKey, revision: str, made: int, facts: Facts, until: datetime | None = None) -> Decline:
        settings = facts.settings.attempts
        of = f" at revision {revision}" if revision else ""
        hours = settings.window.total_seconds() / 3600
        return Decline(
            guard=self.code,
            message=f"{owner}{of} was acted on {counted(made, 'time')} within {hours:g} h, and may be "
            f"{counted(settings.most, 'time')}: a person has to look",
            numbers={"attempts": made, "most": settings.most, "window_seconds": settings.window.total_seconds()},
            look_again_at=until,
        )
