"""After many things changed at once, statuses settle unevenly: what looks ill may only be late."""

from itertools import takewhile
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import census_of
from auto_healing.plan import Decline, Step


class Storm:
    code: ClassVar[str] = "storm"
    title: ClassVar[str] = "Have many things changed so lately that they are still settling?"
    looks_at: ClassVar[str] = (
        "How many nodes, new ones left out, became ready or unready within the cooldown, and when health_monitor last "
        "told of a storm of findings. Every further change begins the cooldown anew."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, _step: Step, facts: Facts) -> Decline | None:
        return self._told(facts) or self._turning(facts)

    def _told(self, facts: Facts) -> Decline | None:
        told, cooldown = facts.sight.storm_at, facts.settings.storm.cooldown
        if told is None or facts.now - told >= cooldown:
            return None
        seconds = round((facts.now - told).total_seconds())
        return Decline(
            guard=self.code,
            message=f"health_monitor told of a storm of findings {seconds} s ago; things are given "
            f"{cooldown.total_seconds():g} s to settle",
            numbers={"since_storm_seconds": seconds, "cooldown_seconds": cooldown.total_seconds()},
            look_again_at=told + cooldown,
        )

    def _turning(self, facts: Facts) -> Decline | None:
        settings = facts.settings.storm
        since = facts.now - settings.cooldown
        lately = takewhile(lambda turn: turn[0] > since, census_of(facts).turned)
        turned = [at for at, _, made_at in lately if made_at is None or at - made_at > settings.startup]
        if len(turned) < settings.nodes:
            return None
        return Decline(
            guard=self.code,
            message=f"The readiness of {len(turned)} nodes changed within {settings.cooldown.total_seconds():g} s; "
            "things are still settling",
            numbers={
                "changed": len(turned),
                "limit": settings.nodes,
                "cooldown_seconds": settings.cooldown.total_seconds(),
            },
            look_again_at=max(turned) + settings.cooldown,
        )
