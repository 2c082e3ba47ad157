"""Scores of everything, kept up to date in whole numbers: one object's change costs the same in a cluster of any size.

Members (nodes, pods, workloads, resources) lie in families; a family belongs to a group (workload, namespace, zone,
cluster), whose loss is its own findings' and its families'. Only members that lost something are kept by name.
"""

from collections.abc import Collection
from dataclasses import dataclass

from common.contracts.objects import CLUSTER, ZONE, ObjectKey
from health_monitor.engine.placement import CLUSTER_KEY, Placement, homes_of_group
from health_monitor.engine.scoring import NO_LOSS, Loss, capped, family_loss
from health_monitor.engine.settings import ScoringSettings

_LEVELS = {CLUSTER: 2, ZONE: 1, "Namespace": 1}  # workloads are level 0
_SORTS = {ZONE: 1, "Namespace": 2, CLUSTER: 3}  # all others are workloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is said of a family: its worst member, and how many lost anything, and anything to more than advice."""

    worst: ObjectKey
    worst_loss: Loss
    serious: int
    lossy: int


class Family:
    """Members of one sort within a group: how many, and what they lost together."""

    __slots__ = ("_summary", "alone", "count", "group", "losses", "serious", "total")

    def __init__(self, group: "Group") -> None:
        self.group = group
        self.count = 0
        self.total = 0
        self.serious = 0
        self.losses: dict[ObjectKey, Loss] = {}  # of members that lost something
        self.alone = (self,)  # shared by all members that lie in this family only
        self._summary: Summary | None = None

    def loss(self, scoring: ScoringSettings) -> Loss:
        return family_loss(self.count, self.total, self.serious, scoring)

    def summary(self) -> "Summary":
        """Found when somebody asks, and kept until a member changes. Only for families in which something is lost."""
        if self._summary is None:
            worst, loss = min(
                self.losses.items(), key=lambda item: (-item[1].total, item[0])
            )  # first by name of equals
            serious = sum(1 for loss in self.losses.values() if loss.serious)
            self._summary = Summary(worst=worst, worst_loss=loss, serious=serious, lossy=len(self.losses))
        return self._summary

    def set_loss(self, key: ObjectKey, loss: Loss) -> None:
        before = self.losses.get(key, NO_LOSS)
        if loss == before:
            return
        self._summary = None
        self.total += loss.total - before.total
        self.serious += loss.serious - before.serious
        if loss.total:
            self.losses[key] = loss
        else:
            self.losses.pop(key, None)


Homes = tuple[Family, ...]


class Group:
    """A workload, namespace, zone or the cluster. `loss` is as of the last settling."""

    __slots__ = ("families", "homes", "key", "loss", "own", "present")

    def __init__(self, key: ObjectKey, homes: Homes) -> None:
        self.key = key
        self.homes = homes  # where its loss counts
        self.own = NO_LOSS
        self.loss = NO_LOSS
        self.present = False  # there is an object of this name, not only members that name it
        self.families: dict[str, Family] = {}

    @property
    def hands_up(self) -> Loss:
        """What counts above: of a zone or namespace its own findings only, since its members count there themselves."""
        return self.own if self.key.kind in _LEVELS else self.loss

    @property
    def empty(self) -> bool:
        return not self.present and not any(family.count for family in self.families.values())

    def family(self, name: str) -> Family:
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = Family(self)
        return family

    def add_up(self, scoring: ScoringSettings) -> Loss:
        total, serious = self.own
        for family in self.families.values():
            loss = family.loss(scoring)
            total += loss.total
            serious += loss.serious
        return capped(total, serious)


class Scores:
    """All groups and members. Change it, then `settle`; between the two the losses of groups are old."""

    def __init__(self, scoring: ScoringSettings) -> None:
        self._scoring = scoring
        self._homes: dict[ObjectKey, Homes] = {}  # of members that are no groups
        self._groups: dict[ObjectKey, Group] = {}
        self._named: tuple[dict[ObjectKey, None], ...] = ({}, {}, {}, {})  # groups by sort
        self._unsettled: tuple[dict[ObjectKey, Group], ...] = ({}, {}, {})  # by level: below settles first
        self.set_present(CLUSTER_KEY, True)

    def knows(self, key: ObjectKey) -> bool:
        return key in self._homes or key in self._groups

    def loss(self, key: ObjectKey) -> Loss:
        homes = self._homes.get(key)
        if homes:
            return homes[0].losses.get(key, NO_LOSS)
        group = self._groups.get(key)
        return NO_LOSS if group is None else group.loss

    def group(self, key: ObjectKey) -> Group | None:
        return self._groups.get(key)

    def workloads(self) -> Collection[ObjectKey]:
        return self._named[0].keys()

    def zones(self) -> Collection[ObjectKey]:
        return self._named[1].keys()

    def namespaces(self) -> Collection[ObjectKey]:
        return self._named[2].keys()

    def set_present(self, key: ObjectKey, present: bool) -> bool:
        """Say whether there is an object that the group is named after. True when that is news."""
        group = self._group(key) if present else self._groups.get(key)
        if group is None or group.present == present:
            return False
        group.present = present
        if not present:
            group.own = NO_LOSS
        self._unsettle(group)
        return True

    def place(self, key: ObjectKey, where: Placement) -> bool:
        """Put a member into its families, or take it out with `()`. Its loss goes along. True when that changed."""
        before = self._homes.get(key, ())
        if not where and not before:
            return False
        homes = self._families(where)
        if homes == before:
            return False
        loss = before[0].losses.get(key, NO_LOSS) if before else NO_LOSS
        self._leave(key, before)
        self._enter(key, homes, loss)
        if homes:
            self._homes[key] = homes
        else:
            self._homes.pop(key, None)
        return True

    def set_own(self, key: ObjectKey, loss: Loss) -> None:
        """Say what the object's own findings take. An object that counts nowhere is passed over."""
        homes = self._homes.get(key)
        group = self._groups.get(key)
        if homes:
            self._hand_up(key, homes, loss)
        elif group is not None and group.own != loss:
            group.own = loss
            self._unsettle(group)

    def settle(self) -> list[ObjectKey]:
        """Bring all groups up to date, and drop empty ones. Returns those whose loss was reckoned anew."""
        settled: list[ObjectKey] = []
        for level in self._unsettled:
            for group in list(level.values()):
                self._settle(group)
                settled.append(group.key)
            level.clear()
        return settled

    def _settle(self, group: Group) -> None:
        if group.empty:
            del self._groups[group.key]
            del self._named[_SORTS.get(group.key.kind, 0)][group.key]
            self._leave(group.key, group.homes)
        else:
            group.loss = group.add_up(self._scoring)
            self._hand_up(group.key, group.homes, group.hands_up)

    def _group(self, key: ObjectKey) -> Group:
        group = self._groups.get(key)
        if group is None:
            homes = self._families(homes_of_group(key))
            group = self._groups[key] = Group(key, homes)
            self._named[_SORTS.get(key.kind, 0)][key] = None
            self._enter(key, homes, NO_LOSS)
            self._unsettle(group)
        return group

    def _families(self, where: Placement) -> Homes:
        if len(where) == 1:
            key, name = where[0]
            return self._group(key).family(name).alone
        return tuple(self._group(key).family(name) for key, name in where)

    def _enter(self, key: ObjectKey, homes: Homes, loss: Loss) -> None:
        for family in homes:
            family.count += 1
            family.set_loss(key, loss)
            self._unsettle(family.group)

    def _leave(self, key: ObjectKey, homes: Homes) -> None:
        for family in homes:
            family.set_loss(key, NO_LOSS)
            family.count -= 1
            self._unsettle(family.group)

    def _hand_up(self, key: ObjectKey, homes: Homes, loss: Loss) -> None:
        if homes and homes[0].losses.get(key, NO_LOSS) != loss:
            for family in homes:
                family.set_loss(key, loss)
                self._unsettle(family.group)

    def _unsettle(self, group: Group) -> None:
        self._unsettled[_LEVELS.get(group.key.kind, 0)][group.key] = group
