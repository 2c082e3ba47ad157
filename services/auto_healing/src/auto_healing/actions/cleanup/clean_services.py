"""Services whose selector matches nothing, and that nothing leads to."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import LIST_EVERYTHING, Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.actions.cleanup.settings import ServiceSettings
from auto_healing.actions.cleanup.survey import survey
from auto_healing.actions.cleanup.unused import judged
from auto_healing.actions.cleanup.workloads import templates_selected
from auto_healing.kube.cluster import Manifest
from common.cluster.rows import PodRow, Selector, ServiceRow


class CleanServices(Cleanup):
    code: ClassVar[str] = "clean-services"
    title: ClassVar[str] = "Delete Services whose selector has matched no pod for long and that nothing leads to"
    kind: ClassVar[str] = "Service"
    permissions: ClassVar[tuple[Permission, ...]] = (*permissions_on("Service"), LIST_EVERYTHING)
    settings: ClassVar[type[ServiceSettings]] = ServiceSettings

    async def find(self, look: Look) -> Found:
        services = [each for each in look.snapshot.rows(ServiceRow).values() if look.covers(each)]
        idle = [
            each
            for each in services
            if each.selector and look.knows(PodRow) and look.older(look.settings.min_age, each.created_at)
            if not _selects(look, each)
        ]
        selected = await templates_selected(look, {each.key: Selector(labels=each.selector) for each in idle})
        empty = [each for each in idle if each.key not in selected]
        if not empty:
            return Found(total=len(services))
        references = await survey(look.cluster, {each.name for each in empty})
        return judged(((each.key.ref(each.uid), "") for each in empty), references, total=len(services))

    def changed(self, manifest: Manifest) -> str:
        return "" if (manifest.get("spec") or {}).get("selector") else "selects by hand-made endpoints"


def _selects(look: Look, service: ServiceRow) -> bool:
    wanted = service.selector.items()
    return any(wanted <= pod.labels.items() for pod in look.snapshot.pods_in(service.namespace))
