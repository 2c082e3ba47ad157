"""Whose a cordon is, and whether a sick node is well again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_node

from auto_healing.actions.nodes.cordons import cordon_in, cordon_of, patch_cordoning, patch_uncordoning
from auto_healing.actions.nodes.fencing import live_proof, proof_of_fencing
from auto_healing.actions.nodes.sickness import recovered, sick_conditions, unreachable, well_since
from auto_healing.marks import CORDONED_BY, FENCED
from common.cluster.rows import NodeRow, Taint

RUN = UUID("01234567-89ab-cdef-0123-456789abcdef")
MARK = f"{RUN}/0"
MARKED = {f"f:{CORDONED_BY}": {}}


def a_writer(manager: str, *, cordons: bool = True, marks: bool = False) -> dict[str, Any]:
    """An entry of managedFields."""
    fields: dict[str, Any] = {"f:spec": {"f:unschedulable": {}}} if cordons else {}
    fields |= {"f:metadata": {"f:annotations": MARKED}} if marks else {}
    return {"manager": manager, "time": "2026-03-01T11:00:00Z", "fieldsV1": fields}


def a_live_node(*writers: dict[str, Any], cordoned: bool = True, marked: bool = False) -> dict[str, Any]:
    annotations = {CORDONED_BY: MARK} if marked else {}
    metadata = {"name": "node-1", "annotations": annotations, "managedFields": list(writers)}
    return {"metadata": metadata, "spec": {"unschedulable": True} if cordoned else {}}


@pytest.mark.parametrize(
    ("node", "ours", "foreign"),
    [
        pytest.param(a_live_node(cordoned=False), False, "", id="no cordon is nobody's"),
        pytest.param(a_live_node(cordoned=False, marked=True), False, "", id="marks without a cordon are no cordon"),
        pytest.param(a_live_node(a_writer("healer", marks=True), marked=True), True, "", id="both in one write: ours"),
        pytest.param(a_live_node(marked=True), True, "", id="who wrote what is not kept: the marks count"),
        pytest.param(
            a_live_node(a_writer("kubectl-cordon")), False, "kubectl-cordon at 2026-03-01T11:00:00Z", id="a human's"
        ),
        pytest.param(
            a_live_node(a_writer("kubectl-cordon"), a_writer("healer", cordons=False, marks=True), marked=True),
            False,
            "kubectl-cordon at 2026-03-01T11:00:00Z",
            id="a human's that came after ours was lifted by hand, whose marks are still there",
        ),
        pytest.param(a_live_node(), False, "somebody without our marks", id="nobody knows whose"),
    ],
)
def test_whose_a_cordon_is(node: dict[str, Any], ours: bool, foreign: str) -> None:
    found = cordon_of(node)
    assert (found.ours, found.foreign) == (ours, foreign)


def test_marks_are_read_as_they_were_written() -> None:
    patch = patch_cordoning(mark=MARK, reason="its disk is full", until=NOON, causes=frozenset({"Ready", "Disk"}))
    annotations = patch["metadata"]["annotations"]
    found = cordon_in(a_node(unschedulable=True, annotations=annotations))
    assert (found.run_id, found.reason, found.ends_at) == (RUN, "its disk is full", NOON)
    assert found.causes == {"Ready", "Disk"}
    assert patch_uncordoning()["metadata"]["annotations"] == dict.fromkeys(annotations)


def test_a_mark_that_was_edited_names_no_run() -> None:
    found = cordon_in(a_node(unschedulable=True, annotations={CORDONED_BY: "somebody"}))
    assert found.ours
    assert (found.run_id, found.ends_at) == (None, None)


def a_node_with(*conditions: tuple[str, str], **overrides: Any) -> NodeRow:
    return a_node(conditions=tuple(a_condition(type_, status) for type_, status in conditions), **overrides)


@pytest.mark.parametrize(
    ("node", "sick"),
    [
        pytest.param(a_node(), set(), id="a healthy one"),
        pytest.param(a_node_with(("Ready", "Unknown")), {"Ready"}, id="nothing is heard of it"),
        pytest.param(a_node_with(("Ready", "True"), ("DiskPressure", "True")), {"DiskPressure"}, id="under pressure"),
        pytest.param(a_node_with(("Ready", "True"), ("KernelDeadlock", "True")), {"KernelDeadlock"}, id="a detector's"),
        pytest.param(a_node_with(("Ready", "True"), ("KernelReady", "True")), set(), id="a condition that is good"),
        pytest.param(a_node_with(("Ready", "True"), ("DiskPressure", "Unknown")), set(), id="not known to be bad"),
        pytest.param(a_node_with(), {"Ready"}, id="one that never said that it is ready"),
    ],
)
def test_what_is_bad_about_a_node(node: NodeRow, sick: set[str]) -> None:
    assert sick_conditions(node) == sick


@pytest.mark.parametrize(
    ("node", "causes", "yes"),
    [
        pytest.param(a_node(), {"Ready"}, True, id="ready again"),
        pytest.param(a_node(), set(), False, id="no cause can be seen, so that nobody can tell"),
        pytest.param(a_node_with(("Ready", "Unknown")), {"Ready"}, False, id="still dark"),
        pytest.param(a_node_with(("Ready", "Unknown")), {"DiskPressure"}, True, id="bad, but for another reason"),
    ],
)
def test_whether_a_node_has_recovered(node: NodeRow, causes: set[str], yes: bool) -> None:
    assert recovered(node, causes) is yes


def test_it_is_well_since_the_last_of_its_conditions_turned_good() -> None:
    late = NOON - timedelta(minutes=2)
    node = a_node(conditions=(a_condition("Ready"), a_condition("DiskPressure", "False", changed_at=late)))
    assert well_since(node, {"DiskPressure"}) == late
    assert well_since(a_node_with(("Ready", "False"), ("DiskPressure", "False")), {"DiskPressure"}) is None


@pytest.mark.parametrize(("status", "yes"), [("True", False), ("False", False), ("Unknown", True)])
def test_only_silence_is_unreachable(status: str, yes: bool) -> None:
    assert unreachable(a_node_with(("Ready", status))) is yes


def a_taint(key: str, value: str = "") -> Taint:
    return Taint(key=key, value=value, effect="NoExecute")


@pytest.mark.parametrize(
    ("node", "proof"),
    [
        pytest.param(a_node_with(("Ready", "Unknown")), "", id="silence proves nothing"),
        pytest.param(a_node(taints=(a_taint("node.kubernetes.io/unreachable"),)), "", id="nor do its taints"),
        pytest.param(
            a_node(taints=(a_taint("node.cloudprovider.kubernetes.io/shutdown"),)),
            "its cloud provider says that the machine is shut down",
            id="a cloud provider knows",
        ),
        pytest.param(
            a_node(taints=(a_taint("node.kubernetes.io/out-of-service", "nodeshutdown"),)),
            "an operator put the out-of-service taint on it",
            id="an operator who tainted it knows",
        ),
        pytest.param(
            a_node(taints=(a_taint("node.kubernetes.io/out-of-service", "k8s-health-checker"),)),
            "",
            id="our own taint proves nothing",
        ),
        pytest.param(
            a_node(annotations={FENCED: "power is off, says Kim"}),
            "an operator says so: power is off, says Kim",
            id="an operator's word",
        ),
    ],
)
def test_what_proves_that_a_node_is_off(node: NodeRow, proof: str) -> None:
    assert proof_of_fencing(node) == proof


@pytest.mark.parametrize(
    ("said_at", "proven"),
    [
        pytest.param("2026-03-01T11:30:00Z", True, id="a word given since it fell silent counts"),
        pytest.param("2026-03-01T10:30:00Z", False, id="one given before was about another time"),
        pytest.param("", True, id="one of which nobody knows when it was given counts"),
    ],
)
def test_an_operators_word_is_about_this_silence(said_at: str, proven: bool) -> None:
    node = a_node(conditions=(a_condition("Ready", "Unknown"),), annotations={FENCED: "Kim"})  # silent for an hour
    fields = {"f:metadata": {"f:annotations": {f"f:{FENCED}": {}}}}
    writer = {"manager": "kubectl-annotate", "fieldsV1": fields} | ({"time": said_at} if said_at else {})
    assert bool(live_proof({"metadata": {"managedFields": [writer]}}, node)) is proven


def test_a_providers_word_counts_beside_an_outdated_one() -> None:
    taint = a_taint("node.cloudprovider.kubernetes.io/shutdown")
    node = a_node(conditions=(a_condition("Ready", "Unknown"),), annotations={FENCED: "Kim"}, taints=(taint,))
    assert live_proof({"metadata": {}}, node).startswith("its cloud provider")
