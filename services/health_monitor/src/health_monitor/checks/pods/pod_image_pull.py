"""The image of a container cannot be pulled."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import NO_TIME, Check, Symptom, threshold
from health_monitor.checks.pods.containers import IMAGE_REASONS, noun
from health_monitor.checks.pods.warnings import about, container_of

_FINAL = frozenset({"InvalidImageName", "ErrImageNeverPull"})  # trying again will not help
_IMAGE = re.compile(r'[iI]mage(?: tag)? "([^"]+)"')

# What registries and runtimes answer, most telling first.
_CAUSES = (
    (re.compile(r"InvalidImageName|invalid reference format", re.I), "the name of the image is not valid"),
    (re.compile(r"ErrImageNeverPull", re.I), "the image is not on the node, and imagePullPolicy is Never"),
    (re.compile(r"toomanyrequests|rate limit|\b429\b", re.I), "the registry limits how often it may be asked"),
    (
        re.compile(r"unauthorized|forbidden|denied|authentication required|\b40[13]\b", re.I),
        "the registry refuses: it is private and the pull secret is missing or wrong, or the image does not exist",
    ),
    (re.compile(r"not found|manifest unknown|does not exist|\b404\b", re.I), "the registry has no such image or tag"),
    (re.compile(r"no such host|server misbehaving|lookup ", re.I), "the registry's host name cannot be resolved"),
    (re.compile(r"x509|certificate", re.I), "the node does not trust the registry's certificate"),
    (re.compile(r"no space left|disk quota", re.I), "the node's disk is full"),
    (
        re.compile(r"timeout|timed out|refused|reset by peer|unreachable|\bEOF\b", re.I),
        "the registry cannot be reached",
    ),
    (re.compile(r"no match for platform|exec format", re.I), "the image is not built for the node's architecture"),
    (re.compile(r"signature", re.I), "the image's signature is not accepted"),
)
_UNKNOWN = "see the pod's events for what the registry answered"


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=2),
        "How long pulling may fail. A registry that hiccups answers at the next attempt; Robusta waits 120 s as well "
        "(https://docs.robusta.dev). Names that can never be pulled are told at once.",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if pod.ready or pod.deleted_at is not None or pod.finished:
        return ()
    return [
        _symptom(status, pod, snapshot, thresholds)
        for status in pod.statuses
        if status.state == "waiting" and status.reason in IMAGE_REASONS
    ]


def _symptom(status: ContainerStatus, pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds) -> Symptom:
    answers = [status.reason, status.message, *_answers(status.name, pod, snapshot)]
    image = next((found.group(1) for answer in answers if (found := _IMAGE.search(answer))), "")
    cause = _cause(answers)
    which = f"image {image}" if image else "its image"
    return Symptom(
        message=f"{noun(status)} cannot start, because {which} cannot be pulled: {cause}",
        since=pod.ready_changed_at or pod.scheduled_at,
        after=NO_TIME if status.reason in _FINAL else thresholds.after,
        part=status.name,
        evidence={"container": status.name, "image": image, "cause": cause},
    )


def _answers(container: str, pod: PodRow, snapshot: ClusterSnapshot) -> list[str]:
    """The failures of earlier attempts. While the kubelet backs off, the status of the container forgets them."""
    failed = [event for event in about(pod, snapshot) if event.reason == "Failed" and container_of(event) == container]
    return [event.message for event in sorted(failed, key=lambda event: event.name)]


def _cause(answers: list[str]) -> str:
    text = "\n".join(answers)
    return next((cause for pattern, cause in _CAUSES if pattern.search(text)), _UNKNOWN)


CHECK = Check(
    code="pod-image-pull",
    title="Image cannot be pulled",
    kind="Pod",
    severity=Severity.CRITICAL,
    summary="The container will not start until its image can be pulled. The kubelet tries again after pauses of at "
    "most 5 minutes; ErrImagePull and ImagePullBackOff are the same trouble and told as one.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Event"}),
)
