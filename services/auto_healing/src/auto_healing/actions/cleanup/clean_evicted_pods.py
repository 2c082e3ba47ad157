"""Pods that a node has evicted: they hold no resources, and pile up until nobody can read a list of pods."""

from typing import ClassVar

from auto_healing.actions.cleanup.finished_pods import FinishedPods
from auto_healing.actions.cleanup.pods import EVICTED, is_evicted, old_news
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.kube.cluster import Manifest


class CleanEvictedPods(FinishedPods):
    code: ClassVar[str] = "clean-evicted-pods"
    title: ClassVar[str] = "Delete pods that nodes have evicted, and keep the newest of each workload"

    async def find(self, look: Look) -> Found:
        return old_news(look, is_evicted, "evicted")

    def changed(self, manifest: Manifest) -> str:
        status = manifest.get("status") or {}
        return "" if (status.get("phase"), status.get("reason")) == ("Failed", EVICTED) else "is not evicted"
