"""What keeps a pod off a node because of the pods that run there: affinity, anti-affinity, topology spread."""

from dataclasses import dataclass, field

from auto_healing.placement.neighbours import Counts, Neighbours
from auto_healing.placement.places import FEW, Places
from common.cluster.rows import Labels, NodeRow, PodRow, PodTerm, Selector, Spread

NO_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"
SKEW = "node(s) didn't match pod topology spread constraints"
REPELLED = "node(s) didn't satisfy existing pods anti-affinity rules"
APART = "node(s) didn't match pod anti-affinity rules"
TOGETHER = "node(s) didn't match pod affinity rules"


@dataclass(slots=True)
class SpreadRule:
    """One constraint, and the places that count for it."""

    key: str
    max_skew: int
    places: frozenset[str]
    open: frozenset[str]  # places with a node that the pod may choose
    enough: bool  # there are as many places as minDomains asks for
    own: int  # 1 when the pod itself counts
    counts: Counts
    least: int = 0  # pods in the emptiest place

    def look(self) -> None:
        """Before each placement: the counts have moved on."""
        counts = self.counts
        if not self.enough or len(counts) < len(self.places):  # counts hold no zero: then a place is empty
            self.least = 0
        else:
            self.least = min((counts.get(place, 0) for place in self.places), default=0)

    def refusal(self, labels: Labels) -> str:
        place = labels.get(self.key)
        if place is None:
            return NO_LABEL
        return SKEW if self._skews(place) else ""

    def _skews(self, place: str) -> bool:
        return self.counts.get(place, 0) + self.own - self.least > self.max_skew

    @property
    def hopeless(self) -> bool:
        """Whether that can be seen without looking at any node."""
        return len(self.open) <= FEW and all(map(self._skews, self.open))


@dataclass(slots=True)
class Relations:
    """Of one pod and all that are equal to it. Empty when it has nothing to do with others."""

    pod: PodRow  # kept, so that what it is found by stays its own
    known_repellers: int  # how many kinds of repelling pods were known then
    spread: list[SpreadRule] = field(default_factory=list)
    repelled: list[tuple[str, Counts]] = field(default_factory=list)
    apart: list[tuple[str, Counts]] = field(default_factory=list)
    together: list[tuple[str, Counts]] = field(default_factory=list)
    first_of_its_kind: bool = False  # the pod satisfies its own affinity

    def __bool__(self) -> bool:
        return bool(self.spread or self.repelled or self.apart or self.together)

    def look(self) -> None:
        for rule in self.spread:
            rule.look()

    @property
    def hopeless(self) -> bool:
        """Whether spread alone keeps it off all nodes."""
        return any(rule.hopeless for rule in self.spread)

    def refusal(self, node: NodeRow) -> str:
        labels = node.labels
        for rule in self.spread:
            if why := rule.refusal(labels):
                return why
        if not self._together(labels):
            return TOGETHER
        if any(counts.get(labels.get(key, "")) for key, counts in self.apart):
            return APART
        if any(counts.get(labels.get(key, "")) for key, counts in self.repelled):
            return REPELLED
        return ""

    def _together(self, labels: Labels) -> bool:
        if all(counts.get(labels.get(key, "")) for key, counts in self.together):
            return True
        alone = self.first_of_its_kind and not any(counts for _, counts in self.together)
        return alone and all(key in labels for key, _ in self.together)


def relations_of(pod: PodRow, neighbours: Neighbours, places: Places) -> Relations:
    scheduling = pod.scheduling
    repelled = neighbours.repelled(pod)
    return Relations(
        pod=pod,
        known_repellers=neighbours.repellers,
        spread=[_spread_rule(pod, rule, neighbours, places) for rule in scheduling.spread],
        repelled=repelled,
        apart=[_counts(pod, term, neighbours) for term in scheduling.anti_affinity],
        together=[_counts(pod, term, neighbours) for term in scheduling.affinity],
        first_of_its_kind=all(
            pod.namespace in neighbours.namespaces(term, pod.namespace) and term.selector.matches(pod.labels)
            for term in scheduling.affinity
        ),
    )


def _counts(pod: PodRow, term: PodTerm, neighbours: Neighbours) -> tuple[str, Counts]:
    namespaces = neighbours.namespaces(term, pod.namespace)
    return term.topology_key, neighbours.counts(term.selector, namespaces, term.topology_key)


def _spread_rule(pod: PodRow, rule: Spread, neighbours: Neighbours, places: Places) -> SpreadRule:
    selector = _narrowed(rule, pod.labels)
    counted = places.counted(pod, rule)
    own = frozenset((pod.namespace,))
    return SpreadRule(
        key=rule.topology_key,
        max_skew=rule.max_skew,
        places=counted.places,
        open=places.open(pod, rule),
        enough=len(counted.places) >= rule.min_domains,
        own=int(selector.matches(pod.labels)),
        counts=neighbours.counts(selector, own, rule.topology_key, on=counted.nodes),
    )


def _narrowed(rule: Spread, labels: Labels) -> Selector:
    """With the labels that the pods must have in common. API servers since 1.34 write these in by themselves."""
    same = {key: labels[key] for key in rule.same_labels if key in labels}
    if not same:
        return rule.selector
    return Selector(labels={**rule.selector.labels, **same}, expressions=rule.selector.expressions)
