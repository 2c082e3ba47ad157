"""What the claims of a pod ask of nodes: volumes are reached from some nodes only, and some by one node at a time."""

from typing import NamedTuple

from auto_healing.placement.moves import Moves
from common.cluster.rows import NodeRow, NodeTerm, PersistentVolumeClaimRow, PersistentVolumeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot, SourceState

UNKNOWN = (SourceState.STARTING, SourceState.UNSEEN)


class Reach(NamedTuple):
    """Where the volumes of a pod can be used."""

    terms: tuple[tuple[NodeTerm, ...], ...] = ()  # one of each must match
    node: str = ""  # the only one, where another pod uses a volume that is for one node; empty: no such
    in_use: bool = False  # by another pod, and for one pod alone
    refusal: str = ""  # what is wrong with the claims, wherever the pod goes

    def allows(self, node: NodeRow) -> bool:
        return all(any(term.matches(node.name, node.labels) for term in terms) for terms in self.terms)


ANYWHERE = Reach()


class Volumes:
    """Claims and their volumes, and which pods use them."""

    def __init__(self, snapshot: ClusterSnapshot, moves: Moves) -> None:
        self._snapshot = snapshot
        self._moves = moves
        self._users: dict[str, dict[str, list[tuple[str, str]]]] = {}  # by namespace and claim: uid and node of pods
        self._known = all(
            kind in snapshot.sources and snapshot.sources[kind].state not in UNKNOWN
            for kind in ("PersistentVolumeClaim", "PersistentVolume")
        )

    def copy(self, moves: Moves) -> "Volumes":
        return Volumes(self._snapshot, moves)

    def reach(self, pod: PodRow) -> Reach:
        """Of a replacement of the pod. Where claims cannot be seen nothing is held against any node."""
        if not pod.claims or not self._known:
            return ANYWHERE
        terms: list[tuple[NodeTerm, ...]] = []
        node, in_use = "", False
        for name in pod.claims:
            claim = self._snapshot.get(PersistentVolumeClaimRow, name, pod.namespace)
            if claim is None:
                return Reach(refusal=f'persistentvolumeclaim "{name}" not found')
            if claim.owner is not None and claim.owner.kind == "Pod":
                continue  # an ephemeral volume ends with its pod, and the replacement gets another
            user = self._other_user(pod, claim)
            in_use = in_use or (bool(user) and "ReadWriteOncePod" in claim.access_modes)
            node = node or user
            volume = self._snapshot.get(PersistentVolumeRow, claim.volume) if claim.volume else None
            if claim.volume and volume is None:
                return Reach(refusal=f'persistentvolumeclaim "{name}" is bound to a volume that does not exist')
            if volume is not None and volume.node_terms:
                terms.append(volume.node_terms)
        return Reach(terms=tuple(dict.fromkeys(terms)), node=node, in_use=in_use)

    def _other_user(self, pod: PodRow, claim: PersistentVolumeClaimRow) -> str:
        """The node where another pod uses a claim that is for one node at a time; empty when it is free or shared.

        The scheduler itself does not look at that: it would place the pod, whose volume then could not be attached.
        """
        if not claim.access_modes or any(mode in {"ReadWriteMany", "ReadOnlyMany"} for mode in claim.access_modes):
            return ""
        users = self._users_in(pod.namespace).get(claim.name, ())
        return next((node for _, node in users), "")

    def _users_in(self, namespace: str) -> dict[str, list[tuple[str, str]]]:
        users = self._users.get(namespace)
        if users is None:
            users = {}
            for pod, node in self._moves.pods_in(namespace):
                for name in pod.claims:
                    users.setdefault(name, []).append((pod.uid, node))
            self._users[namespace] = users
        return users

    def leave(self, pod: PodRow) -> None:
        for name in pod.claims if pod.namespace in self._users else ():
            users = self._users[pod.namespace]
            users[name] = [user for user in users.get(name, ()) if user[0] != pod.uid]

    def come(self, pod: PodRow, node: str) -> None:
        for name in pod.claims if pod.namespace in self._users else ():
            self._users[pod.namespace].setdefault(name, []).append((pod.uid, node))
