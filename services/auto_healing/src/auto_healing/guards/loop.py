"""An action that comes round again cures nothing."""

from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import codes_of, counted, is_same_remedy, node_of, owner_of, tidies
from auto_healing.plan import Decline, Harm, Step


class Loop:
    code: ClassVar[str] = "loop"
    title: ClassVar[str] = "Has the same been done for the same workload, on the same node, for the same reason?"
    looks_at: ClassVar[str] = (
        "Runs within the window with the same action, workload, node and finding: what was evicted, put back on its "
        "node and fails there again. Another action, as the next rung of a ladder is, is no loop."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        codes, node = codes_of(facts), node_of(step, facts)
        if tidies(step) or not codes:
            return None
        settings, owner, name = facts.settings.loop, owner_of(step, facts), node.name if node else ""
        runs = [
            run
            for run in facts.history.of_owner(owner)
            if run.harm is Harm.HARMFUL
            and facts.now - run.started_at < settings.window
            and run.node == name
            and run.code in codes
            and is_same_remedy(run, step, facts)
        ]
        if len(runs) <= settings.repeats:
            return None
        minutes = round(settings.window.total_seconds() / 60)
        newest_first = sorted((run.started_at for run in runs), reverse=True)
        return Decline(
            guard=self.code,
            message=f"{step.action} for {owner}{' on node ' + name if name else ''} is going round in circles: it was "
            f"done {counted(len(runs), 'time')} within {minutes} min for {', '.join(sorted(codes))}",
            numbers={"repeats": len(runs), "allowed": settings.repeats, "node": name},
            look_again_at=newest_first[settings.repeats] + settings.window,
        )
