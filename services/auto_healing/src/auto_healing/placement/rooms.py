"""What is free on each node."""

from collections.abc import Mapping

from auto_healing.placement.moves import Moves
from common.cluster.rows import HostPort, NodeRow, PodRow, Resources
from common.cluster.snapshot import ClusterSnapshot

EVERY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104  # told apart here, not bound to


class Room:
    """Free amounts of one node; negative where it holds more than it may. `cpu_total` and `memory_total` are whole."""

    __slots__ = ("cpu", "cpu_total", "ephemeral", "extended", "memory", "memory_total", "pods")

    def __init__(self, whole: Resources, used: Resources) -> None:
        self.cpu_total, self.memory_total = whole.cpu_millicores, whole.memory_bytes
        self.cpu = whole.cpu_millicores - used.cpu_millicores
        self.memory = whole.memory_bytes - used.memory_bytes
        self.ephemeral = whole.ephemeral_bytes - used.ephemeral_bytes
        self.pods = whole.pods - used.pods
        self.extended = dict(whole.extended)
        for name, number in used.extended:
            self.extended[name] = self.extended.get(name, 0) - number

    def copy(self) -> "Room":
        other = object.__new__(Room)
        for name in Room.__slots__:
            setattr(other, name, getattr(self, name))
        other.extended = dict(self.extended)
        return other

    def holds(self, asked: Resources) -> bool:
        """As the scheduler: what a pod does not ask for cannot be lacking."""
        return (
            self.pods > 0
            and (not asked.cpu_millicores or asked.cpu_millicores <= self.cpu)
            and (not asked.memory_bytes or asked.memory_bytes <= self.memory)
            and (not asked.ephemeral_bytes or asked.ephemeral_bytes <= self.ephemeral)
            and (not asked.extended or all(number <= self.extended.get(name, 0) for name, number in asked.extended))
        )

    def lacking(self, asked: Resources) -> list[str]:
        """What there is too little of, in the scheduler's words."""
        amounts = (
            ("cpu", asked.cpu_millicores, self.cpu),
            ("memory", asked.memory_bytes, self.memory),
            ("ephemeral-storage", asked.ephemeral_bytes, self.ephemeral),
            *((name, number, self.extended.get(name, 0)) for name, number in asked.extended),
        )
        return [
            *(["Too many pods"] if self.pods <= 0 else []),
            *(f"Insufficient {name}" for name, wanted, free in amounts if wanted and wanted > free),
        ]

    def load(self, asked: Resources) -> float:
        """Mean share of CPU and memory that would be asked for: what the scheduler's LeastAllocated goes by."""
        cpu = 1 - (self.cpu - asked.cpu_millicores) / self.cpu_total if self.cpu_total else 1.0
        memory = 1 - (self.memory - asked.memory_bytes) / self.memory_total if self.memory_total else 1.0
        return (cpu + memory) / 2

    def take(self, asked: Resources) -> None:
        self._add(asked, -1)

    def free(self, asked: Resources) -> None:
        self._add(asked, 1)

    def _add(self, amount: Resources, sign: int) -> None:
        self.cpu += sign * amount.cpu_millicores
        self.memory += sign * amount.memory_bytes
        self.ephemeral += sign * amount.ephemeral_bytes
        self.pods += sign
        for name, number in amount.extended:
            self.extended[name] = self.extended.get(name, 0) + sign * number


class Rooms:
    """The rooms of all nodes, each read from the snapshot when it is first looked at, and shared until it changes."""

    def __init__(self, snapshot: ClusterSnapshot, nodes: Mapping[str, NodeRow], moves: Moves) -> None:
        self._snapshot = snapshot
        self._nodes = nodes
        self._moves = moves
        self._read: dict[str, Room] = {}
        self._changed: dict[str, Room] = {}
        self._ports: dict[str, set[HostPort]] = {}

    def copy(self, moves: Moves) -> "Rooms":
        other = Rooms(self._snapshot, self._nodes, moves)
        other._read = self._read
        other._changed = {name: room.copy() for name, room in self._changed.items()}
        return other

    def __getitem__(self, node: str) -> Room:
        return self._changed.get(node) or self._read.get(node) or self._first(node)

    def _first(self, node: str) -> Room:
        room = self._read[node] = Room(self._nodes[node].allocatable, self._snapshot.requested_on(node))
        return room

    def _own(self, node: str) -> Room:
        room = self._changed.get(node)
        if room is None:
            room = self._changed[node] = self[node].copy()
        return room

    def take(self, pod: PodRow, node: str) -> None:
        self._own(node).take(pod.requests)
        self._ports.pop(node, None)

    def free(self, pod: PodRow, node: str) -> None:
        self._own(node).free(pod.requests)
        self._ports.pop(node, None)

    def ports_taken(self, pod: PodRow, node: str) -> bool:
        """Whether a port of the host that the pod asks for is another pod's."""
        taken = self._ports.get(node)
        if taken is None:
            taken = {port for other in self._moves.pods_on(node) for port in other.scheduling.host_ports}
            self._ports[node] = taken
        return any(_collide(one, other) for one in pod.scheduling.host_ports for other in taken)


def _collide(one: HostPort, other: HostPort) -> bool:
    addresses = {one[1], other[1]}
    return one[0] == other[0] and one[2] == other[2] and (len(addresses) == 1 or bool(addresses & EVERY_ADDRESS))
