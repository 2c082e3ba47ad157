"""With fewer rights than it asks for the service sees less, says what and why, and does the rest."""

import asyncio
import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.cluster_objects import evict
from tests.support.service import PROGRAM, Service, environment, running

from devcluster import DevCluster
from devcluster.api import collection, path_of, wait_for

pytestmark = pytest.mark.cluster

SHIPPED = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rbac.yaml"
ROLES = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
LACKING = "persistentvolumeclaims"
Account = Callable[[str, list[dict[str, Any]]], Path]


@pytest.fixture
def account(devcluster_shared: DevCluster, namespace: str, tmp_path: Path) -> Iterator[Account]:
    """Makes a service account with these roles and bindings; answers with a kubeconfig that has its token."""
    api, made = devcluster_shared.api, []

    def make(name: str, roles: list[dict[str, Any]]) -> Path:
        about = {"name": name, "namespace": namespace}
        api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about})
        annotations = {"kubernetes.io/service-account.name": name}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
        api.create(secret | {"metadata": {**about, "annotations": annotations}})
        for role in roles:
            api.create(role)
            made.append(path_of(role))
        path = f"{collection('v1/secrets', namespace)}/{name}"
        token = wait_for("the token", lambda: api.get(path).get("data", {}).get("token"))
        config = yaml.safe_load(devcluster_shared.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": base64.b64decode(token).decode()}
        kubeconfig = tmp_path / f"{name}.yaml"
        kubeconfig.write_text(yaml.safe_dump(config))
        return kubeconfig

    yield make
    for path in made:
        api.delete(path)


def shipped_roles(namespace: str, account: str) -> list[dict[str, Any]]:
    """The rights that the product is installed with, under names of their own, for an account of the namespace."""
    roles = [each for each in yaml.safe_load_all(SHIPPED.read_text()) if each["kind"] in ROLES]
    roles = [each for each in roles if each["metadata"].get("namespace") in (None, "kube-node-lease")]
    for role in roles:
        role["metadata"]["name"] += f"-{namespace}-{account}"
        if "roleRef" in role:
            role["roleRef"]["name"] += f"-{namespace}-{account}"
            role["subjects"] = [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]
    return roles


def without(resource: str, roles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for rule in (rule for role in roles for rule in role.get("rules", ())):
        rule["resources"] = [each for each in rule["resources"] if each != resource]
    return roles


async def unseen(service: Service) -> dict[str, str]:
    """Reasons by kind, usage aside, which this cluster does not measure."""
    sources = (await service.get("cluster"))["sources"]
    away = [each for each in sources if each["state"] != "synced" and "Usage" not in each["kind"]]
    return {each["kind"]: each["reason"] for each in away}


async def test_one_forbidden_kind_is_named_with_verb_and_resource_and_the_rest_works(
    devcluster_shared: DevCluster, namespace: str, account: Account
) -> None:
    as_shipped = await asyncio.to_thread(account, "whole", shipped_roles(namespace, "whole"))
    lacking = await asyncio.to_thread(account, "lacking", without(LACKING, shipped_roles(namespace, "lacking")))
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
