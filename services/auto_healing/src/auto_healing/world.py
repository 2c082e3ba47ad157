"""One instant of everything that decisions rest on, as values."""

from collections.abc import Collection, Container
from dataclasses import dataclass, field
from datetime import datetime

from auto_healing.facts import Facts, FiringAlert, OtherHealer, Pause, Sight
from auto_healing.guards.census import Census
from auto_healing.history import History, PastRun
from auto_healing.plan import Mode, Plan
from auto_healing.policy import HealingPolicy
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    now: datetime
    snapshot: ClusterSnapshot
    policy: HealingPolicy
    history: History
    pauses: Collection[Pause] = ()
    alerts: Collection[FiringAlert] | None = ()  # None: they are to be asked for, and cannot be
    sight: Sight = field(default_factory=Sight)
    open_findings: Container[tuple[str, ObjectKey, str]] | None = None  # keys of all that are open; None: not asked
    other_healers: Collection[OtherHealer] = ()

    def facts(
        self,
        plan: Plan,
        *,
        by_hand: bool = False,
        planned: Collection[PastRun] = (),
        census: Census | None = None,
    ) -> Facts:
        """What guards may look at for a step of the plan.

        Who observes only need not have opted in: what is learnt there is what an owner decides by.
        """
        scope = self.policy.scope
        return Facts(
            now=self.now,
            snapshot=self.snapshot,
            settings=self.policy.guards,
            history=self.history,
            plan=plan,
            pauses=self.pauses,
            alerts=self.alerts,
            sight=self.sight,
            by_hand=by_hand,
            planned=planned,
            open_findings=self.open_findings,
            other_healers=self.other_healers,
            opt_in=scope.opt_in and plan.mode is not Mode.OBSERVE,
            opted_in_namespaces=scope.namespaces,
            census=census,
        )
