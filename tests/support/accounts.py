"""Service accounts of a real cluster that have just the rights of given roles, such as those that are shipped."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import DevCluster
from devcluster.api import collection, path_of, wait_for

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes"
OURS = "k8s-health-checker"  # the namespace that the product is installed into
_ROLES = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}

Json = dict[str, Any]
Account = Callable[[str, list[Json]], Path]


@pytest.fixture
def account(devcluster_shared: DevCluster, namespace: str, tmp_path: Path) -> Iterator[Account]:
    """Makes a service account with these roles and bindings; answers with a kubeconfig that has its token."""
    api, made = devcluster_shared.api, []

    def make(name: str, roles: list[Json]) -> Path:
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


def shipped_roles(manifest: str, service: str, namespace: str, account: str) -> list[Json]:
    """What a manifest binds to the account of a service, under names of their own, for an account of the namespace.

    What is granted in the product's own namespace is granted in that of the account.
    """
    objects = [each for each in yaml.safe_load_all((MANIFESTS / manifest).read_text()) if each["kind"] in _ROLES]
    bindings = [each for each in objects if any(who["name"] == service for who in each.get("subjects", ()))]
    bound = {(each["roleRef"]["kind"], each["metadata"].get("namespace"), each["roleRef"]["name"]) for each in bindings}
    roles = [
        each for each in objects if (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) in bound
    ]
    for role in (*roles, *bindings):
        role["metadata"]["name"] += f"-{namespace}-{account}"
        if role["metadata"].get("namespace") == OURS:
            role["metadata"]["namespace"] = namespace
        if "roleRef" in role:
            role["roleRef"]["name"] += f"-{namespace}-{account}"
            role["subjects"] = [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]
    return [*roles, *bindings]


def without(resource: str, roles: list[Json]) -> list[Json]:
    """The roles without any right on the resource."""
    for role in (role for role in roles if "rules" in role):
        for rule in role["rules"]:
            rule["resources"] = [each for each in rule["resources"] if each != resource]
        role["rules"] = [rule for rule in role["rules"] if rule["resources"]]
    return roles
