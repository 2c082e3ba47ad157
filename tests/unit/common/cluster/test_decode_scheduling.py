"""Where a pod may run: what a row keeps of that part of its spec."""

from typing import Any

import msgspec
import pytest
from tests.support.api_objects import changed, metadata, pod_json

from common.cluster.decode.pods import PodShape, pod_row
from common.cluster.decode.policies import PdbShape, pdb_row
from common.cluster.decode.storage import ClaimShape, VolumeShape, claim_row, volume_row
from common.cluster.rows import ANYWHERE, NodeTerm, PodTerm, Scheduling, Selector, Spread

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
IN_A = {"key": "zone", "operator": "In", "values": ["a"]}
IN_A_TERM = NodeTerm(labels=(("zone", "In", ("a",)),))
WEB = {"matchLabels": {"app": "web"}}


def scheduling(**spec: Any) -> Scheduling:
    """Of a pod whose spec has these parts, and no priority unless one is given."""
    parts = {"priority": None} | spec
    item = changed(pod_json(), **{f"spec__{name}": value for name, value in parts.items()})
    return pod_row(msgspec.json.decode(msgspec.json.encode(item), type=PodShape)).scheduling


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, ANYWHERE, id="nothing said"),
        pytest.param({"affinity": None, "nodeSelector": None}, ANYWHERE, id="nothing, in so many words"),
        pytest.param({"priority": 1000}, Scheduling(priority=1000), id="a priority"),
        pytest.param(
            {"nodeSelector": {"disk": "ssd"}}, Scheduling(node_selector={"disk": "ssd"}), id="a node selector"
        ),
        pytest.param({"schedulingGates": [{"name": "quota"}]}, Scheduling(gates=("quota",)), id="a gate"),
        pytest.param(
            {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [IN_A]}]}}}},
            Scheduling(node_terms=(IN_A_TERM,)),
            id="a required node affinity",
        ),
        pytest.param(
            {
                "affinity": {
                    "nodeAffinity": {PREFERRED: [{"weight": 7, "preference": {"matchExpressions": [IN_A]}}]},
                }
            },
            Scheduling(preferred_nodes=((7, IN_A_TERM),)),
            id="a preferred node affinity",
        ),
        pytest.param(
            {
                "affinity": {
                    "podAffinity": {REQUIRED: [{"topologyKey": "zone", "labelSelector": WEB, "namespaces": ["x"]}]},
                    "podAntiAffinity": {
                        REQUIRED: [{"topologyKey": "host", "labelSelector": WEB, "namespaceSelector": {}}],
                        PREFERRED: [{"weight": 1, "podAffinityTerm": {"topologyKey": "host"}}],
                    },
                }
            },
            Scheduling(
                affinity=(PodTerm(topology_key="zone", selector=Selector(labels={"app": "web"}), namespaces=("x",)),),
                anti_affinity=(
                    PodTerm(
                        topology_key="host",
                        selector=Selector(labels={"app": "web"}),
                        namespace_selector=Selector(labels={}, everything=True),
                    ),
                ),
            ),
            id="required pod affinity and anti-affinity",
        ),
        pytest.param(
            {
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 2,
                        "topologyKey": "zone",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": WEB,
                        "minDomains": 3,
                        "nodeAffinityPolicy": "Ignore",
                        "nodeTaintsPolicy": "Honor",
                        "matchLabelKeys": ["hash"],
                    },
                    {"maxSkew": 1, "topologyKey": "host", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": WEB},
                ]
            },
            Scheduling(
                spread=(
                    Spread(
                        topology_key="zone",
                        selector=Selector(labels={"app": "web"}),
                        max_skew=2,
                        min_domains=3,
                        heeds_affinity=False,
                        heeds_taints=True,
                        same_labels=("hash",),
                    ),
                )
            ),
            id="a spread that must hold, beside one that need not",
        ),
        pytest.param(
            {
                "containers": [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 9, "hostPort": 9}]}],
                "initContainers": [{"name": "i", "ports": [{"hostPort": 8, "hostIP": "10.0.0.1", "protocol": "UDP"}]}],
            },
            Scheduling(host_ports=(("UDP", "10.0.0.1", 8), ("TCP", "", 9))),
            id="ports of the host",
        ),
    ],
)
def test_what_a_spec_says_about_where_to_run(spec: dict[str, Any], expected: Scheduling) -> None:
    assert scheduling(**spec) == expected


def test_pods_of_one_template_share_it_and_those_that_say_nothing_share_one() -> None:
    assert scheduling() is ANYWHERE
    assert scheduling(nodeSelector={"disk": "ssd"}) is scheduling(nodeSelector={"disk": "ssd"})


def test_pods_that_choose_nodes_alike_share_their_selector_whatever_else_they_say() -> None:
    one, other = (scheduling(nodeSelector={"disk": "ssd"}, priority=number) for number in (1, 2))
    assert one.node_selector is other.node_selector


@pytest.mark.parametrize(
    ("term", "labels", "expected"),
    [
        pytest.param(NodeTerm(), {"a": "1"}, False, id="an empty term matches nothing"),
        pytest.param(IN_A_TERM, {"zone": "a"}, True, id="in"),
        pytest.param(IN_A_TERM, {}, False, id="not there"),
        pytest.param(NodeTerm(labels=(("zone", "NotIn", ("a",)),)), {}, True, id="not there is not in"),
        pytest.param(NodeTerm(labels=(("zone", "DoesNotExist", ()),)), {"zone": "a"}, False, id="there"),
        pytest.param(NodeTerm(labels=(("cores", "Gt", ("8",)),)), {"cores": "16"}, True, id="more, as numbers"),
        pytest.param(NodeTerm(labels=(("cores", "Gt", ("16",)),)), {"cores": "16"}, False, id="as much is not more"),
        pytest.param(NodeTerm(labels=(("cores", "Lt", ("8",)),)), {"cores": "4"}, True, id="less"),
        pytest.param(NodeTerm(labels=(("cores", "Lt", ("8",)),)), {"cores": "few"}, False, id="no number"),
        pytest.param(NodeTerm(fields=(("metadata.name", "In", ("n",)),)), {}, True, id="the node's name"),
    ],
)
def test_terms_of_a_node_affinity(term: NodeTerm, labels: dict[str, str], expected: bool) -> None:
    assert term.matches("n", labels) is expected


def test_a_volume_says_from_where_it_is_reached_and_shares_that() -> None:
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [IN_A]}]}}
    rows = [
        volume_row(msgspec.convert({"metadata": metadata(name), "spec": {"nodeAffinity": affinity}}, type=VolumeShape))
        for name in ("v1", "v2")
    ]
    assert rows[0].node_terms == (IN_A_TERM,)
    assert rows[0].node_terms is rows[1].node_terms


@pytest.mark.parametrize(
    ("status", "expected"),
    [({"accessModes": ["ReadWriteOnce"]}, ("ReadWriteOnce",)), ({}, ("ReadWriteMany",))],
    ids=["as granted", "as asked for while it is not bound"],
)
def test_access_modes_of_a_claim(status: dict[str, Any], expected: tuple[str, ...]) -> None:
    item = {"metadata": metadata("c", "shop"), "spec": {"accessModes": ["ReadWriteMany"]}, "status": status}
    assert claim_row(msgspec.convert(item, type=ClaimShape)).access_modes == expected


@pytest.mark.parametrize(
    ("policy", "expected"), [(None, False), ("IfHealthyBudget", False), ("AlwaysAllow", True)], ids=str
)
def test_whether_a_budget_lets_go_what_is_not_ready(policy: str | None, expected: bool) -> None:
    spec = {} if policy is None else {"unhealthyPodEvictionPolicy": policy}
    row = pdb_row(msgspec.convert({"metadata": metadata("b", "shop"), "spec": spec}, type=PdbShape))
    assert row.unready_may_go is expected
