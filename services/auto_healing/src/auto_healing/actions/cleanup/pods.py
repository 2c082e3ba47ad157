"""Pods that have ended: which of them are old news. Pure; shared by the rules about evicted and about failed pods."""

from collections.abc import Callable, Iterator
from datetime import datetime

from auto_healing.actions.cleanup.rule import Candidate, Found, Look, candidate, kept_newer
from auto_healing.actions.cleanup.settings import FinishedPodSettings
from common.cluster.rows import JobRow, PodRow
from common.contracts import ObjectKey

EVICTED = "Evicted"


def is_evicted(pod: PodRow) -> bool:
    return pod.phase == "Failed" and pod.reason == EVICTED


def is_failed(pod: PodRow) -> bool:
    return pod.phase == "Failed" and pod.reason != EVICTED


def ended_at(pod: PodRow) -> datetime | None:
    """When the last container ended; of a pod without any, its creation, which is earlier."""
    return max((each.finished_at for each in pod.statuses if each.finished_at), default=pod.created_at)


def old_news(look: Look, wanted: Callable[[PodRow], bool], word: str) -> Found:
    """All pods that `wanted` takes, without the newest of each workload and what is too young or belongs to a Job."""
    settings: FinishedPodSettings = look.settings
    piles: dict[ObjectKey, list[PodRow]] = {}
    total = 0
    for pod in look.snapshot.rows(PodRow).values():
        if not look.covers(pod):
            continue
        total += 1
        if wanted(pod):
            piles.setdefault(look.snapshot.top_owner(pod), []).append(pod)
    found = [each for owner, pods in piles.items() for each in _of_pile(look, owner, pods, settings, word)]
    return Found(candidates=tuple(found), total=total)


def _of_pile(
    look: Look, owner: ObjectKey, pods: list[PodRow], settings: FinishedPodSettings, word: str
) -> Iterator[Candidate]:
    """A pod that nobody owns is its own newest: it is the only one to tell what happened to it."""
    pods.sort(key=_age, reverse=True)
    for pod in pods[max(settings.keep, owner == pods[0].key) :]:
        if look.older(settings.min_age, ended_at(pod)) and _job_allows(look, pod, settings):
            yield candidate(pod, f"is {word}{kept_newer(settings.keep, f'of {owner}')}")


def _age(pod: PodRow) -> tuple[float, str]:
    at = ended_at(pod)
    return (at.timestamp() if at else 0.0, pod.name)


def _job_allows(look: Look, pod: PodRow, settings: FinishedPodSettings) -> bool:
    """A Job counts its pods: they stay until it has ended, and for a while after that."""
    if pod.owner is None or pod.owner.kind != "Job":
        return True
    job = look.snapshot.get(JobRow, pod.owner.name, pod.namespace)
    if job is None:
        return look.knows(JobRow)
    return look.older(settings.job_pods_after, job_ended_at(job))


def job_ended_at(job: JobRow) -> datetime | None:
    """None while it has not."""
    for type_ in ("Complete", "Failed"):
        condition = job.condition(type_)
        if condition is not None and condition.status == "True":
            return condition.changed_at or job.completed_at
    return None
