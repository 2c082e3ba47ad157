"""What holds whatever the cluster is like."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.healing_placement import ZONE, amount, node, pod, room, spread, term

from auto_healing.placement import Placements
from auto_healing.plan import Displacement
from common.cluster.rows import NodeRow, PodRow, Resources, Scheduling
from common.cluster.store import Store

RELATIONS = (
    Scheduling(),
    Scheduling(priority=10),
    Scheduling(anti_affinity=(term(),)),
    Scheduling(anti_affinity=(term(ZONE, app="web"),)),
    Scheduling(spread=(spread(),)),
    Scheduling(host_ports=(("TCP", "", 9100),)),
    Scheduling(node_selector={ZONE: "zone-0"}),
)
apps = st.sampled_from(["checkout", "web"])
nodes = st.lists(
    st.builds(
        lambda cpu, memory, pods, zone: {"allocatable": room(cpu, memory, pods), "zone": f"zone-{zone}"},
        st.integers(0, 1000),
        st.integers(0, 1000),
        st.integers(0, 6),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=6,
)


def pods(kinds: Any) -> Any:
    return st.lists(
        st.builds(
            lambda cpu, memory, app, scheduling: {
                "requests": amount(cpu, memory),
                "labels": {"app": app},
                "scheduling": scheduling,
            },
            st.integers(0, 400),
            st.integers(0, 400),
            apps,
            kinds,
        ),
        max_size=12,
    )


def a_store(
    places: list[dict[str, Any]], moving: list[dict[str, Any]], *, on: str = "old"
) -> tuple[Store, list[PodRow]]:
    rows = [pod(f"p{number}", on, **fields) for number, fields in enumerate(moving)]
    store = Store()
    for row in [node("old"), *(node(f"n{number}", **fields) for number, fields in enumerate(places)), *rows]:
        store.apply(row)
    return store, rows


def placed(store: Store, rows: list[PodRow], *, without: frozenset[str] = frozenset()) -> tuple[Displacement, ...]:
    return Placements(store, NOON).displace(rows, without_nodes=without | {"old"})


@settings(deadline=None, max_examples=60)
@given(nodes, pods(st.sampled_from(RELATIONS)))
def test_no_node_is_given_more_than_it_has(places: list[dict[str, Any]], moving: list[dict[str, Any]]) -> None:
    store, rows = a_store(places, moving)
    result = placed(store, rows)
    for number, fields in enumerate(places):
        there = [row.requests for row, each in zip(rows, result, strict=True) if each.to_node == f"n{number}"]
        has: Resources = fields["allocatable"]
        assert sum(asked.cpu_millicores for asked in there) <= has.cpu_millicores
        assert sum(asked.memory_bytes for asked in there) <= has.memory_bytes
        assert len(there) <= has.pods


@settings(deadline=None, max_examples=60)
@given(nodes, pods(st.sampled_from(RELATIONS)))
def test_what_is_placed_was_allowed_there_and_what_is_not_is_allowed_nowhere(
    places: list[dict[str, Any]], moving: list[dict[str, Any]]
) -> None:
    """Pods that wait, one after the other, each asked of every node just before: the search misses nothing."""
    store, rows = a_store(places, moving, on="")
    placements = Placements(store, NOON)
    for row in rows:
        welcoming = {key.name for key, place in store.rows(NodeRow).items() if not placements.refusal(row, place)}
        (each,) = placements.displace([row])
        assert each.to_node in (welcoming or {""})
        assert each.fits_nowhere == (not welcoming)


@settings(deadline=None, max_examples=50)
@given(nodes, pods(st.just(Scheduling())), st.integers(0, 5))
def test_a_node_less_never_makes_more_of_equal_pods_fit(
    places: list[dict[str, Any]], moving: list[dict[str, Any]], less: int
) -> None:
    equal = [{**fields, "requests": amount(100, 100)} for fields in moving]
    store, rows = a_store(places, equal)
    fewer = placed(store, rows, without=frozenset({f"n{less}"}))
    assert sum(bool(each.to_node) for each in fewer) <= sum(bool(each.to_node) for each in placed(store, rows))


@settings(deadline=None, max_examples=50)
@given(nodes, pods(st.sampled_from(RELATIONS)), st.randoms(use_true_random=False))
def test_the_order_of_equal_pods_does_not_matter(
    places: list[dict[str, Any]], moving: list[dict[str, Any]], random: Any
) -> None:
    equal = [moving[0]] * 8 if moving else []
    store, rows = a_store(places, equal)
    shuffled = random.sample(rows, len(rows))
    assert Counter(each.to_node for each in placed(store, rows)) == Counter(
        each.to_node for each in placed(store, shuffled)
    )
