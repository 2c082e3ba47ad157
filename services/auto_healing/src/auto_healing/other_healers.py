"""Asks the cluster now and then for other healers that show by objects of their own: health checks of machines, and
what Argo CD deploys."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from auto_healing.facts import OtherHealer
from auto_healing.guards.others import applications_of_argo_cd, healers_of_nodes
from auto_healing.kube.live import OBJECTS
from common.cluster.snapshot import ClusterSnapshot
from common.kube.api import JSON, Api
from common.kube.errors import Forbidden, KubeError, NotFound

logger = logging.getLogger(__name__)

POLL_SECONDS = 60.0
_MEDIK8S, _CLUSTER_API, _OPENSHIFT = "remediation.medik8s.io", "cluster.x-k8s.io", "machine.openshift.io"
_ARGO_CD = "argoproj.io"


class OtherHealers:
    """What was found last. A kind that is not served has no objects; one that is forbidden is told once."""

    def __init__(self, api: Api, snapshot: ClusterSnapshot) -> None:
        self._api = api
        self._snapshot = snapshot
        self._told: set[str] = set()
        self.found: Sequence[OtherHealer] = ()

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except KubeError as error:
                logger.debug("other healers cannot be looked for: %s", error)
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Raises KubeErrors; what was found before stays then."""
        of_machines = (_CLUSTER_API, _OPENSHIFT)
        checks = [each for group in of_machines for each in await self._all(group, "machinehealthchecks")]
        machines = [each for group in of_machines for each in await self._all(group, "machines")] if checks else []
        of_nodes = healers_of_nodes(
            node_health_checks=await self._all(_MEDIK8S, "nodehealthchecks"),
            machine_health_checks=checks,
            machines=machines,
            snapshot=self._snapshot,
        )
        applications = await self._all(_ARGO_CD, "applications", accept=OBJECTS)
        self.found = (*of_nodes, *applications_of_argo_cd(applications))

    async def _all(self, group: str, resource: str, *, accept: str = JSON) -> list[dict[str, Any]]:
        """In the version that the group prefers: Cluster API serves v1beta2, and older ones no more in time."""
        try:
            served = await self._api.get(f"/apis/{group}")
            path = f"/apis/{served['preferredVersion']['groupVersion']}/{resource}"
            return (await self._api.get(path, accept=accept)).get("items") or []
        except NotFound:
            return []
        except Forbidden as error:
            if (told := f"{group} {resource}") not in self._told:
                self._told.add(told)
                logger.warning("whether another healer is at work there cannot be seen: %s", error)
            return []
