"""Looking for other healers: what the cluster does not serve, or does not let us see, stops nobody."""

import logging
from typing import Any

import pytest
from tests.support.rows import a_deployment, a_node, a_snapshot

from auto_healing.guards.others import kept_in_git
from auto_healing.other_healers import OtherHealers
from common.kube.errors import Forbidden, KubeError, NotFound

HEALTH_CHECK = "/apis/remediation.medik8s.io/v1alpha1/nodehealthchecks"
MACHINE_CHECK = "/apis/cluster.x-k8s.io/v1beta2/machinehealthchecks"
MACHINES = "/apis/cluster.x-k8s.io/v1beta2/machines"
OLD_MACHINE_CHECK = "/apis/machine.openshift.io/v1beta1/machinehealthchecks"
OLD_MACHINES = "/apis/machine.openshift.io/v1beta1/machines"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/applications"

A_HEALTH_CHECK = {"metadata": {"name": "workers"}, "spec": {"selector": {"matchLabels": {"role": "worker"}}}}
A_MACHINE_CHECK = {
    "metadata": {"name": "pool-a", "namespace": "default"},
    "spec": {"clusterName": "c", "selector": {"matchLabels": {"pool": "a"}}},
}
A_MACHINE = {
    "metadata": {"name": "m1", "namespace": "default", "labels": {"pool": "a"}},
    "spec": {"clusterName": "c"},
    "status": {"nodeRef": {"name": "n1"}},
}


class Served:
    """An API server that serves these lists, in the versions that they are at, and answers with these errors."""

    def __init__(self, lists: dict[str, Any]) -> None:
        self.lists = lists
        self.asked: list[str] = []

    async def get(self, path: str, *, accept: str = "") -> Any:
        self.asked.append(path)
        for listed in self.lists:
            if path == listed.rsplit("/", 2)[0]:
                return {"preferredVersion": {"groupVersion": listed.removeprefix("/apis/").rsplit("/", 1)[0]}}
        found = self.lists.get(path, NotFound(f"no {path}"))
        if isinstance(found, KubeError):
            raise found
        return {"items": found}


def looking(lists: dict[str, Any]) -> tuple[OtherHealers, Served]:
    served = Served(lists)
    nodes = a_snapshot(a_node("n1", labels={"role": "worker"}), a_node("n2"))
    return OtherHealers(served, nodes), served  # type: ignore[arg-type]


async def test_a_cluster_without_any_has_none_and_its_machines_are_not_asked_for() -> None:
    others, served = looking({})
    await others.look()

    assert list(others.found) == []
    assert MACHINES not in served.asked


@pytest.mark.parametrize(
    "lists",
    [
        pytest.param({HEALTH_CHECK: [A_HEALTH_CHECK]}, id="a check of nodes"),
        pytest.param({MACHINE_CHECK: [A_MACHINE_CHECK], MACHINES: [A_MACHINE]}, id="a check of machines"),
        pytest.param({OLD_MACHINE_CHECK: [A_MACHINE_CHECK], OLD_MACHINES: [A_MACHINE]}, id="one of OpenShift"),
    ],
)
async def test_whose_nodes_another_healer_looks_after_is_found(lists: dict[str, Any]) -> None:
    others, _ = looking(lists)
    await others.look()

    (found,) = others.found
    assert found.nodes == {"n1"}


async def test_what_is_forbidden_is_told_once_and_the_rest_is_still_seen(caplog: pytest.LogCaptureFixture) -> None:
    others, _ = looking({MACHINE_CHECK: Forbidden("may not list them"), HEALTH_CHECK: [A_HEALTH_CHECK]})
    with caplog.at_level(logging.WARNING):
        await others.look()
        await others.look()

    assert len(others.found) == 1
    assert len([record for record in caplog.records if "may not list them" in record.message]) == 1


async def test_what_was_found_stays_while_the_cluster_does_not_answer() -> None:
    others, served = looking({HEALTH_CHECK: [A_HEALTH_CHECK]})
    await others.look()
    served.lists[HEALTH_CHECK] = KubeError("no answer")
    with pytest.raises(KubeError):
        await others.look()

    assert len(others.found) == 1


async def test_what_is_gone_is_forgotten() -> None:
    others, served = looking({HEALTH_CHECK: [A_HEALTH_CHECK]})
    await others.look()
    served.lists[HEALTH_CHECK] = []
    await others.look()

    assert list(others.found) == []


async def test_what_argo_cd_deploys_is_known_by_the_names_of_its_applications() -> None:
    others, _ = looking({APPLICATIONS: [{"metadata": {"name": "shop", "namespace": "argocd"}}]})
    await others.look()

    checkout = a_deployment(labels={"app.kubernetes.io/instance": "shop"})
    assert kept_in_git(checkout, others.found) is not None
    assert kept_in_git(a_deployment(labels={"app.kubernetes.io/instance": "argocd_shop"}), others.found) is not None
    assert kept_in_git(a_deployment(labels={"app.kubernetes.io/instance": "release"}), others.found) is None
    assert kept_in_git(a_deployment(), others.found) is None
    assert kept_in_git(checkout) is None, "Helm gives the same label"
