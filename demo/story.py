"""The faults of the demo, in order, and what is expected to be said of each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A fault, the codes of which at least one has to be told about it, and what healing has to say of it."""

    title: str
    fault: str
    target: str
    codes: frozenset[str]
    wait_seconds: float = 45.0
    answers: frozenset[tuple[str, str]] = frozenset()  # event and action in the ledger; one of them has to come
    answer_seconds: float = 60.0


# The dark node comes first and is waited for last: a silent node counts as Ready for Kubernetes' 40 s.
DARK_NODE = Chapter(
    title="A node goes dark: its kubelet stops, and its heartbeats with it (Kubernetes itself waits 40 s)",
    fault="node-dark",
    target="general-0003",
    codes=frozenset({"node-lease-stale", "node-unknown", "node-not-ready"}),
    wait_seconds=75.0,
    answers=frozenset({("step-started", "reschedule-from-node")}),
    answer_seconds=90.0,
)

PRESSED_NODE = "general-0007"
CHAPTERS = (
    Chapter(
        title="One pod of platform/queue crashes again and again, and the others do well",
        fault="crash-loop",
        target="platform/queue-1",
        codes=frozenset({"pod-crash-loop"}),
        answers=frozenset({("healed", "evict-pod")}),
        answer_seconds=120.0,
    ),
    Chapter(
        title="A bad rollout: the new revision of shop/checkout crashes again and again",
        fault="bad-rollout",
        target="shop/checkout",
        codes=frozenset({"pod-crash-loop", "pod-restarts"}),
        answers=frozenset({("healed", "roll-back")}),
        answer_seconds=120.0,
    ),
    Chapter(
        title=f"A full disk: {PRESSED_NODE} reports disk pressure",
        fault="disk-pressure",
        target=PRESSED_NODE,
        codes=frozenset({"node-disk-pressure"}),
        answers=frozenset({("declined", "")}),
    ),
    Chapter(
        title="A stuck volume: a claim asks for a storage class that does not exist",
        fault="stuck-pvc",
        target="payments/archive",
        codes=frozenset({"pvc-pending", "pod-pending"}),
    ),
    Chapter(
        title="A pile of evicted pods: remains, for cleanup",
        fault="evicted-pile",
        target="shop/storefront",
        codes=frozenset({"pod-evicted"}),
        answers=frozenset({("step-ended", "clean-evicted-pods")}),
        answer_seconds=150.0,
    ),
    Chapter(
        title="Jobs that failed, and a volume claim that nobody uses: remains, too",
        fault="failed-jobs",
        target="payments/report",
        codes=frozenset({"job-failed"}),
        answers=frozenset({("step-ended", "clean-jobs")}),
        answer_seconds=90.0,
    ),
)

# Swept by hand at the end, since their schedules would take too long for a demo.
REMAINS = ("clean-evicted-pods", "clean-jobs", "clean-volume-claims")
