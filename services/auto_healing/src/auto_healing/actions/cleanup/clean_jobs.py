"""Jobs that have ended. Those of a CronJob are its history, of which it keeps as many as it says."""

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from auto_healing.actions.action import Doing, Permission
from auto_healing.actions.cleanup.engine import Cleanup, Ready, permissions_on
from auto_healing.actions.cleanup.pods import job_ended_at
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, candidate
from auto_healing.actions.cleanup.settings import JobSettings
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.logs import kept_logs
from common.cluster.rows import CronJobRow, JobRow
from common.contracts import ObjectKey

PODS = 2  # of a Job, whose logs are kept


class CleanJobs(Cleanup):
    code: ClassVar[str] = "clean-jobs"
    title: ClassVar[str] = "Delete Jobs that ended long ago, with their pods; CronJobs keep their history"
    kind: ClassVar[str] = "Job"
    permissions: ClassVar[tuple[Permission, ...]] = (
        *permissions_on("Job"),
        Permission(group="", resource="pods", verbs=("get",)),
        Permission(group="", resource="pods/log", verbs=("get",)),
    )
    settings: ClassVar[type[JobSettings]] = JobSettings
    owned: ClassVar[bool] = True

    async def find(self, look: Look) -> Found:
        jobs = [job for job in look.snapshot.rows(JobRow).values() if look.covers(job)]
        return Found(candidates=tuple(_ended(look, jobs)), total=len(jobs))

    async def prepare(self, doing: Doing, manifest: Manifest, look: Look) -> Ready:
        """With the logs of some of its pods, which go with it."""
        metadata = manifest["metadata"]
        pods = islice(doing.snapshot.pods_of(ObjectKey(self.kind, metadata["namespace"], metadata["name"])), PODS)
        logs = {}
        for pod in list(pods):
            found = await doing.cluster.read(pod.key.ref(pod.uid))
            logs[pod.name] = await kept_logs(doing.cluster, found, doing.snapshot) if found else {}
        return Ready(manifest=manifest, evidence={"logs": logs})

    def changed(self, manifest: Manifest) -> str:
        if (manifest.get("spec") or {}).get("ttlSecondsAfterFinished") is not None:
            return "has a time to live of its own"
        conditions = (manifest.get("status") or {}).get("conditions") or ()
        ended = any(each["type"] in {"Complete", "Failed"} and each["status"] == "True" for each in conditions)
        return "" if ended else "has not ended"


def _ended(look: Look, jobs: list[JobRow]) -> Iterator[Candidate]:
    settings: JobSettings = look.settings
    for job in jobs:
        ended_at = job_ended_at(job)
        failed = job.condition("Failed")
        has_failed = failed is not None and failed.status == "True"
        if look.older(settings.failed_after if has_failed else settings.min_age, ended_at) and _unowned(look, job):
            yield candidate(job, f"{'failed' if has_failed else 'succeeded'} at {ended_at:%Y-%m-%d %H:%M} UTC")


def _unowned(look: Look, job: JobRow) -> bool:
    """Also when its CronJob is gone. Other owners, such as workflows, look after their Jobs themselves."""
    if job.owner is None:
        return True
    return job.owner.kind == "CronJob" and look.knows(CronJobRow) and not look.lives(CronJobRow, job, job.owner)
