"""What speaks against a node for being near pods of the same controller."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.rows import a_node

from auto_healing.placement.crowding import Crowding
from auto_healing.placement.neighbours import Kin
from common.cluster.rows import NodeRow

ZONES = ("a", "b", "c")


def nodes_of(zones: list[str]) -> list[NodeRow]:
    return [a_node(name=f"node-{number}", zone=zone) for number, zone in enumerate(zones)]


@given(st.lists(st.sampled_from(ZONES), min_size=1, max_size=6), st.lists(st.integers(0, 5), max_size=10))
def test_no_open_node_is_less_crowded_than_the_least(zones: list[str], placed: list[int]) -> None:
    nodes, kin = nodes_of(zones), Kin()
    for index in placed:
        kin.add(nodes[index % len(nodes)], 1)
    crowding = Crowding(kin, frozenset(zones))
    assert all(crowding.least <= crowding.on(node) for node in nodes)
