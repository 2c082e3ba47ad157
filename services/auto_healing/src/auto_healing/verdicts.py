"""The book that attribution keeps: upon which fault each finding was laid, and why."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter

from auto_healing.fault import Fault, FaultLevel
from auto_healing.suspects import Blame
from auto_healing.symptoms import FailingPod
from common.contracts import Finding, ObjectKey

FaultKey = tuple[FaultLevel, ObjectKey]


class Verdicts:
    """Every finding is laid once. What is read is what was laid so far."""

    def __init__(self) -> None:
        self._laid: dict[FaultKey, list[Finding]] = defaultdict(list)
        self._blames: dict[FaultKey, Blame] = {}
        self._of_pod: dict[ObjectKey, FaultKey] = {}
        self._of_workload: dict[ObjectKey, Counter[FaultKey]] = defaultdict(Counter)

    def lay(self, findings: Iterable[Finding], key: FaultKey) -> None:
        self._laid[key].extend(findings)

    def lay_pod(self, findings: Iterable[Finding], key: FaultKey, *, pod: ObjectKey, workload: ObjectKey) -> None:
        """Lay what a pod suffers from, and remember it for what follows from that."""
        self.lay(findings, key)
        self._of_pod[pod] = key
        self._of_workload[workload][key] += 1

    def lay_failing(self, pods: Iterable[FailingPod], key: FaultKey) -> None:
        for pod in pods:
            self.lay_pod(pod.findings, key, pod=pod.key, workload=pod.workload)

    def blame(self, key: FaultKey, blame: Blame) -> None:
        """Beside what was blamed on it before."""
        own = self._blames.get(key)
        if own is not None:
            blame = Blame(evidence=own.evidence + blame.evidence, confidence=max(own.confidence, blame.confidence))
        self._blames[key] = blame

    def has(self, key: FaultKey) -> bool:
        return key in self._laid

    def laid(self) -> Mapping[FaultKey, Collection[Finding]]:
        return self._laid

    def of_pods(self) -> Mapping[ObjectKey, FaultKey]:
        """The fault that each pod suffers from."""
        return self._of_pod

    def cause_of(self, workload: ObjectKey) -> FaultKey | None:
        """The fault that most pods of the workload suffer from."""
        return most_common(self._of_workload[workload]) if workload in self._of_workload else None

    def take_over(self, wider: FaultKey, taken: Collection[FaultKey], blame: Blame) -> None:
        """Lay upon a wider fault all that was laid upon others, and why."""
        for key in taken:
            self._laid[wider].extend(self._laid.pop(key, ()))
            self._blames.pop(key, None)
        self._blames[wider] = blame
        for counts in self._of_workload.values():
            for key in counts.keys() & set(taken):
                counts[wider] += counts.pop(key)
        self._of_pod = {pod: wider if key in taken else key for pod, key in self._of_pod.items()}

    def faults(self) -> tuple[Fault, ...]:
        """Ordered by key."""
        return tuple(self._fault(key, self._laid[key]) for key in sorted(self._laid))

    def _fault(self, key: FaultKey, findings: list[Finding]) -> Fault:
        level, subject = key
        blame = self._blames.get(key) or Blame(evidence=(), confidence=1.0)
        others = len({each.object.key for each in findings} - {subject})
        explained = (f"it explains findings on {others} other objects",) if others else ()
        return Fault(
            level=level,
            subject=subject,
            findings=tuple(findings if len(findings) == 1 else sorted(findings, key=attrgetter("key"))),
            evidence=blame.evidence + explained,
            confidence=blame.confidence,
            revision=blame.revision,
        )


def most_common(counts: Counter[FaultKey]) -> FaultKey:
    """The first by name among equals, whatever the order in which they came."""
    return min(counts, key=lambda key: (-counts[key], key))
