"""The rules that hold without a file. They are cautious: the mildest remedy first, and a person last.

What is only left behind has none: cleanup sees to it, by its own schedule.

Numbers: a crash loop is acted upon after 5 restarts and 10 minutes, a silent node after 5 minutes, a condition of
somebody's own after 30, as the node healers of the field do (Medik8s 5 min, GKE and AKS 10, EKS and Karpenter 30).
"""

from datetime import timedelta

from auto_healing.fault import FaultLevel
from auto_healing.plan import timeout_of
from auto_healing.policy import CALL_A_HUMAN, HealingPolicy, Match, Rule, Rung

_POD, _WORKLOAD, _REVISION = FaultLevel.POD, FaultLevel.WORKLOAD, FaultLevel.REVISION
_CONFIGURATION, _NODE, _ZONE = FaultLevel.CONFIGURATION, FaultLevel.NODE, FaultLevel.ZONE

_5_MINUTES = timedelta(minutes=5)
_10_MINUTES = timedelta(minutes=10)
_30_MINUTES = timedelta(minutes=30)

_STUCK = ("deployment-rollout-stuck", "statefulset-rollout-stuck", "daemonset-rollout-stuck")
_NOT_STARTING = ("pod-image-pull", "pod-config-error", "pod-init-stuck")
_NOT_SERVING = ("pod-readiness-failing", "pod-liveness-failing", "pod-not-ready", "pod-unknown")
_FAILING = ("pod-crash-loop", "pod-oom-killed", *_NOT_STARTING, *_NOT_SERVING)


def _rule(
    name: str,
    codes: tuple[str, ...],
    *actions: str,
    levels: tuple[FaultLevel, ...] = (),
    after: timedelta = timedelta(),
    at_least: dict[str, float] | None = None,
) -> Rule:
    match = Match(codes=frozenset(codes), levels=frozenset(levels), min_age=after, at_least=at_least or {})
    ladder = (Rung(action=action, timeout=timeout_of(action)) for action in (*actions, CALL_A_HUMAN))
    return Rule(name=name, match=match, ladder=tuple(ladder))


DEFAULT_RULES: tuple[Rule, ...] = (
    # Larger than any single object: nothing done to one of them helps, and much does harm.
    _rule("zone-down", (), levels=(_ZONE,)),
    # A new revision is bad: back to the last one that was healthy, or at least no further.
    _rule("bad-revision", (*_STUCK, *_FAILING), "roll-back", "pause-rollout", levels=(_REVISION,), after=_5_MINUTES),
    _rule("rollout-stuck", _STUCK, "pause-rollout", levels=(_WORKLOAD,)),
    # Nodes. Those under pressure recover by the kubelet's own evictions, and are never taken away.
    _rule("node-silent", ("node-unknown",), "reschedule-from-node", levels=(_NODE,), after=_5_MINUTES),
    _rule("node-not-ready", ("node-not-ready",), "drain", levels=(_NODE,), after=_5_MINUTES),
    _rule("node-pressure", ("node-disk-pressure", "node-memory-pressure", "node-pid-pressure"), levels=(_NODE,)),
    _rule(
        "node-faulty",
        ("node-flapping", "node-network-unavailable", *_FAILING),
        "drain",
        levels=(_NODE,),
        after=_10_MINUTES,
    ),
    _rule("node-condition", ("node-condition",), "cordon", levels=(_NODE,), after=_30_MINUTES),
    # Pods. What no restart can mend goes to a person at once.
    _rule("memory-too-small", ("pod-oom-killed",), levels=(_POD, _WORKLOAD)),
    _rule("misconfigured", (), levels=(_CONFIGURATION,), after=_5_MINUTES),
    _rule("cannot-start", _NOT_STARTING, levels=(_POD, _WORKLOAD), after=_10_MINUTES),
    _rule(
        "crash-loop",
        ("pod-crash-loop",),
        "evict-pod",
        "move-pod",
        levels=(_POD,),
        after=_10_MINUTES,
        at_least={"restarts": 5},
    ),
    _rule("workload-crash-loop", ("pod-crash-loop",), levels=(_WORKLOAD,), after=_10_MINUTES, at_least={"restarts": 5}),
    _rule("pod-not-serving", _NOT_SERVING, "evict-pod", "move-pod", levels=(_POD,), after=_10_MINUTES),
    _rule("workload-not-serving", _NOT_SERVING, "restart-rollout", levels=(_WORKLOAD,), after=_10_MINUTES),
    _rule("stuck-terminating", ("pod-stuck-terminating",), levels=(_POD, _WORKLOAD), after=_10_MINUTES),
)

DEFAULT_POLICY = HealingPolicy(rules=DEFAULT_RULES)
