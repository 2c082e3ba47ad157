"""The rights that the product is installed with are those that its code asks for, and no others."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from auto_healing import restore
from auto_healing.actions import ACTIONS
from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.cleanup.engine import LIST_EVERYTHING
from auto_healing.docs.permissions import merged
from auto_healing.settings import HealingSettings
from common.cluster.kinds import KINDS
from common.settings import leaves
from common.web.auth import INCLUDES, Scope
from health_monitor.settings import MonitorSettings

MANIFESTS = Path(__file__).parents[3] / "deploy/kubernetes"
RBAC = list(yaml.safe_load_all((MANIFESTS / "auto-healing-rbac.yaml").read_text(encoding="utf-8")))
ACCOUNT = {"kind": "ServiceAccount", "name": "auto-healing", "namespace": "k8s-health-checker"}
PREFIX = "k8s-health-checker:"


def of_actions(*, cleanup: bool, references: bool = False) -> Iterator[Permission]:
    """What actions need: those of ladders, or of cleanup without or with a proof that nothing refers to the object."""
    for action in ACTIONS:
        if (action in CLEANUP_ACTIONS) == cleanup and (LIST_EVERYTHING in action.permissions) == references:
            yield from action.permissions


def to_see() -> Iterator[Permission]:
    """What the view of the cluster, the Events about what was done, and the other healers need."""
    for kind in KINDS:
        if kind.name != "Lease":  # of one namespace alone
            yield Permission(group=kind.group, resource=kind.resource, verbs=("list", "watch"))
    for usage in ("nodes", "pods"):
        yield Permission(group="metrics.k8s.io", resource=usage, verbs=("list",))
    yield Permission(group="", resource="events", verbs=("get", "create", "patch"))
    yield Permission(group="remediation.medik8s.io", resource="nodehealthchecks", verbs=("list",))
    for group in ("cluster.x-k8s.io", "machine.openshift.io"):
        yield Permission(group=group, resource="machinehealthchecks", verbs=("list",))
        yield Permission(group=group, resource="machines", verbs=("list",))
    yield Permission(group="argoproj.io", resource="applications", verbs=("list",))
    yield Permission(group="authentication.k8s.io", resource="tokenreviews", verbs=("create",))
    yield Permission(group="authorization.k8s.io", resource="subjectaccessreviews", verbs=("create",))


def the(kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    (found,) = (
        each
        for each in RBAC
        if (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) == (kind, name, namespace)
    )
    return dict(found)


def granted(role: dict[str, Any]) -> Iterable[Permission]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield Permission(group=group, resource=resource, verbs=tuple(rule["verbs"]))


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        pytest.param("auto-healing", tuple(to_see()), id="to see and to tell"),
        pytest.param("auto-healing-act", tuple(of_actions(cleanup=False)), id="to act on pods, rollouts and nodes"),
        pytest.param(
            "auto-healing-cleanup", (*of_actions(cleanup=True), *restore.PERMISSIONS), id="to clean up and to restore"
        ),
        pytest.param(
            "auto-healing-references",
            tuple(of_actions(cleanup=True, references=True)),
            id="to prove that nothing refers to an object",
        ),
    ],
)
def test_a_role_has_what_its_code_needs_and_no_more(name: str, needed: Iterable[Permission]) -> None:
    assert merged(granted(the("ClusterRole", PREFIX + name))) == merged(needed)
    binding = the("ClusterRoleBinding", PREFIX + name)
    assert binding["roleRef"]["name"] == PREFIX + name
    assert binding["subjects"] == [ACCOUNT]


def test_it_reads_the_heartbeats_and_holds_its_own_lease_alone() -> None:
    (heartbeats,) = the("Role", PREFIX + "auto-healing", "kube-node-lease")["rules"]
    assert (heartbeats["resources"], heartbeats["verbs"]) == (["leases"], ["list", "watch"])
    make, hold = the("Role", "auto-healing", "k8s-health-checker")["rules"]
    assert (make["resources"], make["verbs"]) == (["leases"], ["create"])
    assert hold["resourceNames"] == [HealingSettings.model_fields["leader"].default.lease]
    assert hold["verbs"] == ["get", "update"]


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_can_be_bound_with_all_that_it_includes(scope: Scope) -> None:
    (rule,) = the("ClusterRole", f"{PREFIX}healing-{scope}")["rules"]
    assert (rule["apiGroups"], rule["resources"]) == (["k8s-health-checker"], ["auto_healing"])
    assert set(rule["verbs"]) == {scope, *INCLUDES[scope]}


def test_the_account_that_reads_health_monitor_can_do_nothing_else() -> None:
    bound = [each for each in RBAC for subject in each.get("subjects", ()) if subject["name"] == "auto-healing-reader"]
    assert [each["roleRef"]["name"] for each in bound] == [f"{PREFIX}read"]


@pytest.mark.parametrize(
    ("service", "settings"), [("health-monitor", MonitorSettings), ("auto-healing", HealingSettings)]
)
def test_a_deployment_sets_what_the_service_knows_and_files_that_are_mounted(service: str, settings: Any) -> None:
    objects = list(yaml.safe_load_all((MANIFESTS / f"{service}.yaml").read_text(encoding="utf-8")))
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    known = {leaf.variable for leaf in leaves(settings)}
    mounted = [each["mountPath"] for each in container["volumeMounts"]]
    for variable in container["env"]:
        assert variable["name"].removesuffix("_FILE") in known or variable["name"] in known
        if variable["value"].startswith("/"):
            assert any(variable["value"].startswith(f"{path}/") for path in mounted)
    (listened,) = (port["containerPort"] for port in container["ports"])
    (web,) = (leaf for leaf in leaves(settings) if leaf.path == ("web", "port"))
    assert listened == web.field.default
