"""Indexes over rows, kept up to date one change at a time: each costs the same however large the cluster is.

They hold keys, not rows, so that a change which moves nothing costs nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from common.cluster.rows import Labels, PodRow, Resources, Row, Selector
from common.contracts.objects import ObjectKey

R = TypeVar("R", bound=Row)
G = TypeVar("G", bound=Hashable)

Keys = Collection[ObjectKey]
NO_KEYS: dict[ObjectKey, None] = {}
NONE: Mapping[str, int] = {}


class Rows(Collection[R]):
    """The rows of some keys, looked up when they are asked for."""

    __slots__ = ("_keys", "_table")

    def __init__(self, keys: Keys, table: Mapping[ObjectKey, R]) -> None:
        self._keys = keys
        self._table = table

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[R]:
        return map(self._table.__getitem__, self._keys)

    def __contains__(self, row: object) -> bool:
        return isinstance(row, Row) and row.key in self._keys and self._table[row.key] == row


class Grouped(Generic[R, G]):
    """Keys of rows by what `group_of` says of them; None leaves a row out. Empty groups are dropped."""

    def __init__(self, group_of: Callable[[R], G | None]) -> None:
        self._group_of = group_of
        self._groups: dict[G, dict[ObjectKey, None]] = {}

    def __getitem__(self, group: G) -> Keys:
        return self._groups.get(group, NO_KEYS).keys()

    def __iter__(self) -> Iterator[G]:
        return iter(self._groups)

    def update(self, key: ObjectKey, before: R | None, after: R | None) -> None:
        old = None if before is None else self._group_of(before)
        new = None if after is None else self._group_of(after)
        if old == new:
            return
        if old is not None:
            self._leave(old, key)
        if new is not None:
            self._groups.setdefault(new, {})[key] = None

    def adopt(self, other: "Grouped[R, G]") -> None:
        """Begin with what another one knows."""
        self._groups = {group: dict(members) for group, members in other._groups.items()}

    def _leave(self, group: G, key: ObjectKey) -> None:
        members = self._groups[group]
        del members[key]
        if not members:
            del self._groups[group]


class Selectors(Generic[R]):
    """Rows with a label selector, found by the labels that they select.

    A selector is filed under one of its label pairs, so that asking costs one look-up per label of the object however
    many selectors its namespace has. Those without a pair (expressions only, or everything) are tried one by one.
    """

    def __init__(self, selector_of: Callable[[R], Selector], table: Mapping[ObjectKey, R]) -> None:
        self._selector_of = selector_of
        self._table = table
        self._by_pair: Grouped[R, tuple[str, str, str]] = Grouped(self._pair)

    def _pair(self, row: R) -> tuple[str, str, str]:
        """The pair with the longest value: likely the one that the fewest share."""
        pairs = self._selector_of(row).labels.items()
        key, value = max(pairs, key=lambda pair: (len(pair[1]), pair), default=("", ""))
        return (row.namespace, key, value)

    def update(self, key: ObjectKey, before: R | None, after: R | None) -> None:
        self._by_pair.update(key, before, after)

    def adopt(self, other: "Selectors[R]") -> None:
        self._by_pair.adopt(other._by_pair)

    def matching(self, namespace: str, labels: Labels) -> list[R]:
        keys = [key for pair in (("", ""), *labels.items()) for key in self._by_pair[(namespace, *pair)]]
        return [row for key in keys if self._selector_of(row := self._table[key]).matches(labels)]


class Selected(Generic[R]):
    """The pods that each row with a selector selects."""

    def __init__(
        self,
        selectors: Selectors[R],
        selector_of: Callable[[R], Selector],
        pods_in: Callable[[str], Collection[PodRow]],
    ) -> None:
        self._selectors = selectors
        self._selector_of = selector_of
        self._pods_in = pods_in
        self._selected: dict[ObjectKey, dict[ObjectKey, None]] = {}

    def __getitem__(self, key: ObjectKey) -> Keys:
        return self._selected.get(key, NO_KEYS).keys()

    def update(self, key: ObjectKey, before: R | None, after: R | None) -> None:
        """A selector came, changed or went."""
        if after is None:
            self._selected.pop(key, None)
            return
        selector = self._selector_of(after)
        if before is not None and self._selector_of(before) == selector:
            return
        self._selected[key] = {pod.key: None for pod in self._pods_in(key.namespace) if selector.matches(pod.labels)}

    def adopt(self, other: "Selected[R]") -> None:
        self._selected = {key: dict(pods) for key, pods in other._selected.items()}

    def update_pod(self, key: ObjectKey, before: PodRow | None, after: PodRow | None) -> None:
        if before is not None and after is not None and before.labels is after.labels:
            return
        if before is not None:
            for row in self._selectors.matching(before.namespace, before.labels):
                self._selected[row.key].pop(key, None)
        if after is not None:
            for row in self._selectors.matching(after.namespace, after.labels):
                self._selected[row.key][key] = None


class Totals:
    """Sums of the requests, or limits, of the unfinished pods bound to each node."""

    def __init__(self, amount_of: Callable[[PodRow], Resources]) -> None:
        self._amount_of = amount_of
        self._sums: dict[str, list[int]] = {}
        self._extended: dict[str, Counter[str]] = {}  # of the few nodes with pods that ask for such

    def __getitem__(self, node: str) -> Resources:
        cpu, memory, ephemeral, pods = self._sums.get(node, (0, 0, 0, 0))
        extended = tuple(sorted((name, number) for name, number in self._extended.get(node, NONE).items() if number))
        return Resources(
            cpu_millicores=cpu, memory_bytes=memory, ephemeral_bytes=ephemeral, pods=pods, extended=extended
        )

    def update(self, _key: ObjectKey, before: PodRow | None, after: PodRow | None) -> None:
        old = _counted(before)
        new = _counted(after)
        if old and new and old.node == new.node and self._amount_of(old) is self._amount_of(new):
            return
        if old:
            self._add(old, -1)
        if new:
            self._add(new, 1)

    def adopt(self, other: "Totals") -> None:
        self._sums = {node: list(sums) for node, sums in other._sums.items()}
        self._extended = {node: Counter(sums) for node, sums in other._extended.items()}

    def _add(self, pod: PodRow, sign: int) -> None:
        amount = self._amount_of(pod)
        sums = self._sums.setdefault(pod.node, [0, 0, 0, 0])
        sums[0] += sign * amount.cpu_millicores
        sums[1] += sign * amount.memory_bytes
        sums[2] += sign * amount.ephemeral_bytes
        sums[3] += sign
        for name, number in amount.extended:
            self._extended.setdefault(pod.node, Counter())[name] += sign * number
        if not sums[3]:
            del self._sums[pod.node]
            self._extended.pop(pod.node, None)


def _counted(pod: PodRow | None) -> PodRow | None:
    return pod if pod is not None and pod.node and not pod.finished else None
