"""Pods that have failed otherwise than by eviction, such as by a node that was shut down."""

from typing import ClassVar

from auto_healing.actions.action import Doing
from auto_healing.actions.cleanup.engine import Ready
from auto_healing.actions.cleanup.finished_pods import FinishedPods
from auto_healing.actions.cleanup.pods import is_failed, old_news
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.kube.cluster import Manifest
from auto_healing.kube.logs import kept_logs


class CleanFailedPods(FinishedPods):
    code: ClassVar[str] = "clean-failed-pods"
    title: ClassVar[str] = "Delete failed pods, and keep the newest of each workload"

    async def find(self, look: Look) -> Found:
        return old_news(look, is_failed, "failed")

    async def prepare(self, doing: Doing, manifest: Manifest, look: Look) -> Ready:
        return Ready(manifest=manifest, evidence={"logs": await kept_logs(doing.cluster, manifest, doing.snapshot)})

    def changed(self, manifest: Manifest) -> str:
        return "" if (manifest.get("status") or {}).get("phase") == "Failed" else "has not failed"
