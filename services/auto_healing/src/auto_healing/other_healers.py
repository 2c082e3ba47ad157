"""Asks the cluster now and then for other healers that show by objects of their own: health checks of machines."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from auto_healing.facts import OtherHealer
from auto_healing.guards.others import healers_of_nodes
from common.cluster.snapshot import ClusterSnapshot
from common.kube.api import Api
from common.kube.errors import Forbidden, KubeError, NotFound

logger = logging.getLogger(__name__)

POLL_SECONDS = 60.0
_NODE_HEALTH_CHECKS = ("/apis/remediation.medik8s.io/v1alpha1/nodehealthchecks",)
_MACHINE_HEALTH_CHECKS = (
    "/apis/cluster.x-k8s.io/v1beta1/machinehealthchecks",
    "/apis/machine.openshift.io/v1beta1/machinehealthchecks",
)
_MACHINES = ("/apis/cluster.x-k8s.io/v1beta1/machines", "/apis/machine.openshift.io/v1beta1/machines")


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
        checks = await self._all(_MACHINE_HEALTH_CHECKS)
        self.found = healers_of_nodes(
            node_health_checks=await self._all(_NODE_HEALTH_CHECKS),
            machine_health_checks=checks,
            machines=await self._all(_MACHINES) if checks else (),
            snapshot=self._snapshot,
        )

    async def _all(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in paths:
            try:
                found += (await self._api.get(path)).get("items") or []
            except NotFound:
                continue
            except Forbidden as error:
                if path not in self._told:
                    self._told.add(path)
                    logger.warning("whether another healer is at work there cannot be seen: %s", error)
        return found
