"""With fewer rights than it asks for the service sees less, says what and why, and does the rest."""

import asyncio
import re
import subprocess
from typing import Any

import pytest
from tests.support.accounts import Account, account, shipped_roles, without
from tests.support.cluster_objects import evict
from tests.support.service import PROGRAM, Service, environment, running

from devcluster import DevCluster

__all__ = ["account"]
pytestmark = pytest.mark.cluster

LACKING = "persistentvolumeclaims"


def roles(namespace: str, name: str) -> list[dict[str, Any]]:
    return shipped_roles("rbac.yaml", "health-monitor", namespace, name)


async def unseen(service: Service) -> dict[str, str]:
    """Reasons by kind, usage aside, which this cluster does not measure."""
    sources = (await service.get("cluster"))["sources"]
    away = [each for each in sources if each["state"] != "synced" and "Usage" not in each["kind"]]
    return {each["kind"]: each["reason"] for each in away}


async def test_one_forbidden_kind_is_named_with_verb_and_resource_and_the_rest_works(
    devcluster_shared: DevCluster, namespace: str, account: Account
) -> None:
    as_shipped = await asyncio.to_thread(account, "whole", roles(namespace, "whole"))
    lacking = await asyncio.to_thread(account, "lacking", without(LACKING, roles(namespace, "lacking")))
    await asyncio.to_thread(evict, devcluster_shared, namespace, "victim")
    async with running(as_shipped) as whole, running(lacking) as service:
        await whole.ready()
        assert await unseen(whole) == {}

        await service.ready()
        reasons = await unseen(service)
        assert reasons.keys() == {"PersistentVolumeClaim"}
        assert LACKING in reasons["PersistentVolumeClaim"]
        assert "watch" in reasons["PersistentVolumeClaim"] or "list" in reasons["PersistentVolumeClaim"]
        assert "RBAC" in reasons["PersistentVolumeClaim"]
        await service.becomes("watch", "degraded", "PersistentVolumeClaim is unseen")
        assert await service.metric('source_synced{kind="PersistentVolumeClaim"}') == 0

        found = await service.until("findings", lambda page: page["items"], namespace=namespace, name="victim")
        assert "pod-evicted" in {each["code"] for each in found["items"]}
        blind = await service.until("findings", lambda page: page["items"], code="cluster-view-stale")
        assert [each["part"] for each in blind["items"]] == ["PersistentVolumeClaim"]
        confidences = [(await each.get("cluster"))["score"]["confidence"] for each in (service, whole)]
        assert confidences[0] < confidences[1]


async def test_an_account_without_any_right_is_told_so_in_one_line(account: Account) -> None:
    kubeconfig = await asyncio.to_thread(account, "nobody", [])
    command = [*PROGRAM, "scan", "--kubeconfig", str(kubeconfig)]
    result = await asyncio.to_thread(
        subprocess.run, command, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 2
    assert result.stdout == ""
    line = r"health-monitor: nothing of the cluster can be read; [^\n]* grant it with RBAC\n"
    assert re.fullmatch(line, result.stderr), result.stderr
    async with running(kubeconfig) as service:
        await service.becomes("cluster", "failing", "nothing of the cluster can be read; ")
        assert (await service.answer("/readyz")).status_code == 503
        assert (await service.answer("/livez")).status_code == 200
