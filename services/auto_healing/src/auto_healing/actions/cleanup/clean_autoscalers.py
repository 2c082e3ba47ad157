"""HorizontalPodAutoscalers whose target is gone."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Candidate, Found, Look, Unproven, candidate, unproven
from auto_healing.actions.cleanup.settings import RuleSettings
from common.cluster.rows import DeploymentRow, HorizontalPodAutoscalerRow, ReplicaSetRow, Row, StatefulSetRow

KNOWN: dict[str, type[Row]] = {"Deployment": DeploymentRow, "StatefulSet": StatefulSetRow, "ReplicaSet": ReplicaSetRow}


class CleanAutoscalers(Cleanup):
    code: ClassVar[str] = "clean-autoscalers"
    title: ClassVar[str] = "Delete HorizontalPodAutoscalers whose target is gone"
    kind: ClassVar[str] = "HorizontalPodAutoscaler"
    permissions: ClassVar[tuple[Permission, ...]] = permissions_on("HorizontalPodAutoscaler")
    settings: ClassVar[type[RuleSettings]] = RuleSettings

    async def find(self, look: Look) -> Found:
        hpas = [hpa for hpa in look.snapshot.rows(HorizontalPodAutoscalerRow).values() if look.covers(hpa)]
        candidates: list[Candidate] = []
        doubtful: list[Unproven] = []
        for hpa in hpas:
            target = KNOWN.get(hpa.target_kind)
            if target is None or not look.knows(target):
                if not _is_lost(hpa):
                    continue
                doubtful.append(unproven(hpa, f"scales {hpa.target_kind} {hpa.target_name}, which is unknown"))
            elif look.snapshot.get(target, hpa.target_name, hpa.namespace) is None and look.older(
                look.settings.min_age, hpa.created_at
            ):
                candidates.append(candidate(hpa, f"scales {hpa.target_kind} {hpa.target_name}, which is gone"))
        return Found(candidates=tuple(candidates), unproven=tuple(doubtful), total=len(hpas))


def _is_lost(hpa: HorizontalPodAutoscalerRow) -> bool:
    able = hpa.condition("AbleToScale")
    return able is not None and able.status == "False" and able.reason == "FailedGetScale"
