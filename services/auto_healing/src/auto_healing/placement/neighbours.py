"""How many pods of which labels run where, by topology: what affinity, anti-affinity and spread are judged by.

Each count is made when it is first asked for, and kept up to date from then on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auto_healing.placement.moves import Moves
from common.cluster.rows import Labels, NamespaceRow, NodeRow, PodRow, PodTerm, Scheduling, Selector
from common.cluster.snapshot import ClusterSnapshot

Counts = Counter[str]  # by the value of a topology label


@dataclass(slots=True)
class Question:
    """Pods that a selector means, in some namespaces, counted by one label of their nodes."""

    selector: Selector
    namespaces: frozenset[str]
    key: str
    nodes: frozenset[str] | None = None  # None: all
    counts: Counts = field(default_factory=Counter)


@dataclass(slots=True)
class Repeller:
    """Pods with one required anti-affinity: where they are, by the topology of each of its terms."""

    scheduling: Scheduling
    terms: tuple[tuple[PodTerm, frozenset[str], Counts], ...]


@dataclass(slots=True)
class Kin:
    """Pods of one controller, by node and by zone."""

    nodes: dict[str, int] = field(default_factory=dict)
    zones: dict[str, int] = field(default_factory=dict)

    def add(self, node: NodeRow, number: int) -> None:
        name, zone = node.name, node.zone
        self.nodes[name] = self.nodes.get(name, 0) + number
        self.zones[zone] = self.zones.get(zone, 0) + number


class Neighbours:
    """Asked by `Relations`, told of every pod that leaves or comes."""

    def __init__(self, snapshot: ClusterSnapshot, nodes: Mapping[str, NodeRow], moves: Moves) -> None:
        self._snapshot = snapshot
        self._nodes = nodes
        self._moves = moves
        self._groups: dict[str, dict[int, tuple[Labels, Counts]]] = {}  # by namespace and labels: pods by node
        self._questions: dict[tuple[int, frozenset[str], str, frozenset[str] | None], Question] = {}
        self._asked_in: dict[str, list[Question]] = {}
        self._repellers: dict[tuple[int, str], Repeller] = {}
        self._repelling: dict[str, list[Repeller]] = {}  # by the namespace whose pods they may keep away
        self.repellers = 0  # grows with each kind of pods that `repelled` did not know before
        self._kin: dict[str, Kin] = {}

    def copy(self, moves: Moves) -> "Neighbours":
        return Neighbours(self._snapshot, self._nodes, moves)

    # --- questions

    def counts(
        self, selector: Selector, namespaces: frozenset[str], key: str, *, on: frozenset[str] | None = None
    ) -> Counts:
        """By value of the label `key` of their nodes, of which `on` counts. Goes on being right; holds no zero."""
        place = (id(selector), namespaces, key, on)
        question = self._questions.get(place)
        if question is None:
            question = self._questions[place] = Question(selector, namespaces, key, on)
            for namespace in namespaces:
                self._asked_in.setdefault(namespace, []).append(question)
                for labels, by_node in self._groups_in(namespace).values():
                    if selector.matches(labels):
                        counted = (pair for pair in by_node.items() if on is None or pair[0] in on)
                        self._count(question.counts, key, counted)
        return question.counts

    def repelled(self, pod: PodRow) -> list[tuple[str, Counts]]:
        """Topology keys, and where pods are that keep this one away from their place."""
        return [
            (term.topology_key, counts)
            for repeller in self._repellers_of(pod.namespace)
            for term, namespaces, counts in repeller.terms
            if pod.namespace in namespaces and term.selector.matches(pod.labels)
        ]

    def kin(self, pod: PodRow) -> Kin | None:
        owner = pod.owner
        if owner is None:
            return None
        kin = self._kin.get(owner.uid)
        if kin is None:
            kin = self._kin[owner.uid] = Kin()
            for _, name in self._moves.pods_of(pod):
                if node := self._nodes.get(name):
                    kin.add(node, 1)
        return kin

    def namespaces(self, term: PodTerm, own: str) -> frozenset[str]:
        if not term.crosses:
            return frozenset((own,))
        named = set(term.namespaces)
        if term.namespace_selector is not None:
            rows = self._snapshot.rows(NamespaceRow)
            named |= {key.name for key, row in rows.items() if term.namespace_selector.matches(row.labels)}
        return frozenset(named)

    # --- changes

    def move(self, pod: PodRow, node: str, number: int) -> None:
        """One pod came to the node (1), or left it (-1)."""
        if (row := self._nodes.get(node)) is None:
            return
        if (groups := self._groups.get(pod.namespace)) is not None:
            groups.setdefault(id(pod.labels), (pod.labels, Counter()))[1][node] += number
        for question in self._asked_in.get(pod.namespace, ()):
            if (question.nodes is None or node in question.nodes) and question.selector.matches(pod.labels):
                _add(question.counts, row.labels.get(question.key), number)
        if pod.scheduling.anti_affinity:
            self._move_repeller(pod, row, number)
        if pod.owner is not None and (kin := self._kin.get(pod.owner.uid)) is not None:
            kin.add(row, number)

    # --- first counts

    def _groups_in(self, namespace: str) -> dict[int, tuple[Labels, Counts]]:
        groups = self._groups.get(namespace)
        if groups is None:
            groups = self._groups[namespace] = {}
            for pod, node in self._moves.pods_in(namespace):
                groups.setdefault(id(pod.labels), (pod.labels, Counter()))[1][node] += 1
        return groups

    def _repellers_of(self, namespace: str) -> list[Repeller]:
        known = self._repelling.get(namespace)
        if known is None:
            found: dict[tuple[int, str], tuple[PodRow, Counts]] = {}
            for pod, node in self._moves.repelling(namespace):
                found.setdefault(_template(pod), (pod, Counter()))[1][node] += 1
            for place, (pod, by_node) in found.items():
                if place not in self._repellers:
                    self._repellers[place] = self._repeller(pod, by_node)
            known = self._repelling[namespace] = [self._repellers[place] for place in found]
        return known

    def _move_repeller(self, pod: PodRow, node: NodeRow, number: int) -> None:
        repeller = self._repellers.get(_template(pod))
        if repeller is not None:
            for term, _, counts in repeller.terms:
                _add(counts, node.labels.get(term.topology_key), number)
        elif number > 0:
            self._discover(pod)

    def _discover(self, pod: PodRow) -> None:
        """A pod came whose like was nowhere when it was asked who repels."""
        covered = {name for term in pod.scheduling.anti_affinity for name in self.namespaces(term, pod.namespace)}
        if not (asked := covered & self._repelling.keys()):
            return  # whoever asks will find it
        alike = (node for other, node in self._moves.repelling(pod.namespace) if _template(other) == _template(pod))
        repeller = self._repellers[_template(pod)] = self._repeller(pod, Counter(alike))
        for namespace in asked:
            self._repelling[namespace].append(repeller)
        self.repellers += 1

    def _repeller(self, pod: PodRow, by_node: Counts) -> Repeller:
        terms = []
        for term in pod.scheduling.anti_affinity:
            counts: Counts = Counter()
            self._count(counts, term.topology_key, by_node.items())
            terms.append((term, self.namespaces(term, pod.namespace), counts))
        return Repeller(pod.scheduling, tuple(terms))

    def _count(self, counts: Counts, key: str, by_node: Iterable[tuple[str, int]]) -> None:
        for name, number in by_node:
            if node := self._nodes.get(name):
                _add(counts, node.labels.get(key), number)


def _template(pod: PodRow) -> tuple[int, str]:
    """Pods of one template share their `scheduling`, which a repeller keeps alive."""
    return (id(pod.scheduling), pod.namespace)


def _add(counts: Counts, value: str | None, number: int) -> None:
    if value is not None and number:
        counts[value] += number
        if counts[value] <= 0:
            del counts[value]
