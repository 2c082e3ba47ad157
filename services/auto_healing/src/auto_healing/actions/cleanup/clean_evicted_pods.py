"""Pods that a node has evicted: they hold no resources, and pile up until nobody can read a list of pods."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import Cleanup, permissions_on
from auto_healing.actions.cleanup.pods import EVICTED, is_evicted, old_news
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.actions.cleanup.settings import FinishedPodSettings
from auto_healing.kube.cluster import Manifest


class CleanEvictedPods(Cleanup):
    code: ClassVar[str] = "clean-evicted-pods"
    title: ClassVar[str] = "Delete pods that nodes have evicted, and keep the newest of each workload"
    kind: ClassVar[str] = "Pod"
    permissions: ClassVar[tuple[Permission, ...]] = permissions_on("Pod")
    settings: ClassVar[type[FinishedPodSettings]] = FinishedPodSettings
    annotates: ClassVar[bool] = False
    owned: ClassVar[bool] = True
    made: ClassVar[bool] = True

    async def find(self, look: Look) -> Found:
        return old_news(look, is_evicted, "evicted")

    def changed(self, manifest: Manifest) -> str:
        status = manifest.get("status") or {}
        return "" if (status.get("phase"), status.get("reason")) == ("Failed", EVICTED) else "is not evicted"
