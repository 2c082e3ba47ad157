"""The faults of the demo, in order, and what is expected to be said of each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A fault, and the codes of which at least one has to be told about it before the story goes on."""

    title: str
    fault: str
    target: str
    codes: frozenset[str]
    wait_seconds: float = 45.0


# The dark node comes first and is waited for last: a silent node counts as Ready for Kubernetes' 40 s.
DARK_NODE = Chapter(
    title="A node goes dark: its kubelet stops, and its heartbeats with it (Kubernetes itself waits 40 s)",
    fault="node-dark",
    target="general-0003",
    codes=frozenset({"node-lease-stale", "node-unknown", "node-not-ready"}),
    wait_seconds=75.0,
)

CHAPTERS = (
    Chapter(
        title="A bad rollout: the new revision of shop/checkout crashes again and again",
        fault="bad-rollout",
        target="shop/checkout",
        codes=frozenset({"pod-crash-loop", "pod-restarts"}),
    ),
    Chapter(
        title="A full disk: general-0007 reports disk pressure",
        fault="disk-pressure",
        target="general-0007",
        codes=frozenset({"node-disk-pressure"}),
    ),
    Chapter(
        title="A stuck volume: a claim asks for a storage class that does not exist",
        fault="stuck-pvc",
        target="payments/archive",
        codes=frozenset({"pvc-pending", "pod-pending"}),
    ),
)
