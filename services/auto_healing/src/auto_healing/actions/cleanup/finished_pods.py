"""What the rules about pods that have run to a bad end have in common."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import Cleanup, permissions_on
from auto_healing.actions.cleanup.settings import FinishedPodSettings


class FinishedPods(Cleanup):
    """Whatever their workload makes anew: the newest of each are kept, for whoever asks what happened."""

    kind: ClassVar[str] = "Pod"
    permissions: ClassVar[tuple[Permission, ...]] = permissions_on("Pod")
    settings: ClassVar[type[FinishedPodSettings]] = FinishedPodSettings
    annotates: ClassVar[bool] = False
    owned: ClassVar[bool] = True
    made: ClassVar[bool] = True
