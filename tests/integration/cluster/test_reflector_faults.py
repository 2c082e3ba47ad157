"""What an API server does to its watchers on bad days, and that the view comes out right of each."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.api_objects import changed, pod_json
from tests.support.apiserver import StandIn, status_body
from tests.support.following import HASTY, connected, following, kinds, until

from common.cluster.rows import EventRow, PodRow
from common.cluster.snapshot import SourceState
from common.cluster.watch import ClusterWatch
from common.kube.api import Api

PODS = "/api/v1/pods"
EVENTS = "/api/v1/events"
NODES = "/api/v1/nodes"


@pytest.fixture(params=[pytest.param(True, id="streaming list"), pytest.param(False, id="paged list")])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[StandIn]:
    async with StandIn(streams_lists=request.param).serving() as stand_in:
        for name in ("a", "b", "c", "d", "e", "f", "g"):
            stand_in.put(PODS, pod_json(name))
        yield stand_in


@pytest.fixture
async def api(server: StandIn, tmp_path: Path) -> AsyncIterator[Api]:
    async with connected(server, tmp_path) as api:
        yield api


def names(watch: ClusterWatch) -> str:
    return "".join(sorted(key.name for key in watch.store.rows(PodRow)))


def state(watch: ClusterWatch, kind: str = "Pod") -> SourceState:
    return watch.store.sources[kind].state


async def test_what_is_listed_and_what_is_watched_ends_up_in_the_store(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        assert names(watch) == "abcdefg"
        server.put(PODS, changed(pod_json("a"), status__phase="Failed"))
        server.put(PODS, pod_json("h"))
        server.remove(PODS, "b", "shop")
        await until(lambda: names(watch) == "acdefgh")
        pods = {key.name: row for key, row in watch.store.rows(PodRow).items()}
        assert pods["a"].phase == "Failed"
        assert state(watch) is SourceState.SYNCED
        batch = await anext(watch.changes())
        assert sorted(change.key.name for change in batch.changes) == ["a", "b", "h"]
        assert watch.statistics["Pod"].lag_seconds is not None


async def test_an_old_server_is_not_asked_for_what_it_would_misunderstand(tmp_path: Path) -> None:
    async with StandIn(minor="31+").serving() as server, connected(server, tmp_path) as api:
        server.put(PODS, pod_json("a"))
        async with following(api, kinds("Pod")) as watch:
            await until(watch.synced.is_set)
        assert names(watch) == "a"
        assert server.asked(PODS, sendInitialEvents="true") == 0


@pytest.mark.parametrize("how", ["cut", "end"])
async def test_a_watch_that_ends_is_resumed_where_it_was(server: StandIn, api: Api, how: str) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        server.put(PODS, pod_json("h"))
        await until(lambda: "h" in names(watch))
        getattr(server, how)(PODS)
        server.put(PODS, pod_json("i"))
        server.remove(PODS, "a", "shop")
        await until(lambda: names(watch) == "bcdefghi")
        assert watch.statistics["Pod"].lists == 1 + (not server.streams_lists)


async def test_a_watch_cut_in_mid_line_loses_nothing(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(lambda: watch.synced.is_set() and server.watchers(PODS) > 0)
        server.send(PODS, b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"half')
        server.cut(PODS)
        server.put(PODS, pod_json("h"))
        await until(lambda: names(watch) == "abcdefgh")
        assert watch.statistics["Pod"].malformed == 0


@pytest.mark.parametrize("how", ["in the stream", "as an answer"])
async def test_a_version_that_is_gone_leads_to_a_relist_that_finds_missed_deletes(
    server: StandIn, api: Api, how: str
) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        if how == "as an answer":
            server.answer(PODS, 410)
        server.cut(PODS)
        server.remove(PODS, "a", "shop")
        server.remove(PODS, "g", "shop")
        server.put(PODS, pod_json("h"))
        server.forget()
        await until(lambda: names(watch) == "bcdefh" and state(watch) is SourceState.SYNCED)
        assert watch.statistics["Pod"].lists > 1
        gone = {change.key.name for change in (await anext(watch.changes())).changes if change.after is None}
        assert gone == {"a", "g"}


async def test_a_bookmark_moves_the_place_to_resume_from(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod", "Node")) as watch:
        await until(watch.synced.is_set)
        server.put(PODS, pod_json("h"))
        await until(lambda: "h" in names(watch))
        server.put(NODES, {"metadata": {"name": "n", "uid": "n"}})
        server.bookmark(PODS)
        server.end(PODS)
        await until(lambda: server.asked(PODS, watch="1", resourceVersion=str(server.version)) == 1)


async def test_a_throttled_list_waits_as_long_as_it_is_asked_to(server: StandIn, api: Api) -> None:
    server.answer(PODS, 429, times=2, Retry_After="1")
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        assert names(watch) == "abcdefg"
        assert api.statistics.health.errors == 2


async def test_a_server_in_trouble_makes_the_view_stale_and_its_recovery_mends_it(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        server.answer_always(PODS, 503, status_body(503, "etcd is slow"))
        server.cut(PODS)
        await until(lambda: state(watch) is SourceState.STALE)
        await until(lambda: "etcd is slow" in watch.store.sources["Pod"].reason)
        assert names(watch) == "abcdefg"
        server.recover(PODS)
        await until(lambda: state(watch) is SourceState.SYNCED)
        server.put(PODS, pod_json("h"))
        await until(lambda: names(watch) == "abcdefgh")


async def test_one_forbidden_kind_is_unseen_and_the_rest_works(server: StandIn, api: Api) -> None:
    server.answer_always(NODES, 403, status_body(403, 'nodes is forbidden: User "x" cannot list resource "nodes"'))
    async with following(api, kinds("Pod", "Node")) as watch:
        await until(watch.synced.is_set)
        assert names(watch) == "abcdefg"
        source = watch.store.sources["Node"]
        assert source.state is SourceState.UNSEEN
        assert 'cannot list resource "nodes"' in source.reason
        assert "RBAC" in source.reason
        server.recover(NODES)
        await until(lambda: state(watch, "Node") is SourceState.SYNCED)


async def test_a_kind_that_is_forbidden_later_grows_old_instead_of_vanishing(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        server.answer_always(PODS, 403)
        server.cut(PODS)
        await until(lambda: state(watch) is SourceState.STALE)
        assert names(watch) == "abcdefg"


async def test_a_silent_watch_is_given_up(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod"), replace(HASTY, silence_seconds=0.3)) as watch:
        await until(watch.synced.is_set)
        await until(lambda: watch.statistics["Pod"].errors >= 1)
        await until(lambda: watch.statistics["Pod"].watches >= 3)
        server.put(PODS, pod_json("h"))
        await until(lambda: names(watch) == "abcdefgh")


async def test_a_server_that_ends_every_watch_at_once_is_not_stormed(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        server.answer_always(PODS, 200, b"")
        server.cut(PODS)
        await until(lambda: "the server ends it at once" in watch.store.sources["Pod"].reason)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"this is not JSON\n", id="no JSON"),
        pytest.param(
            b'{"type":"ADDED","object":{"metadata":{"name":"x","uid":"x","labels":7}}}\n', id="labels a number"
        ),
        pytest.param(b'{"type":"ADDED","object":{"metadata":{"name":"","uid":"x"}}}\n', id="no name"),
        pytest.param(
            b'{"type":"ADDED","object":{"metadata":{"name":"x","uid":"x"},"status":"odd"}}\n', id="odd status"
        ),
        pytest.param(
            b'{"type":"ADDED","object":{"metadata":{"name":"x","uid":"x"},"spec":{"containers":[{"name":"c",'
            b'"resources":{"requests":{"cpu":"plenty"}}}]}}}\n',
            id="a quantity that is none",
        ),
        pytest.param(b'{"type":"ADDED","object":{"metadata":{"name":"\xff","uid":"x"}}}\n', id="no UTF-8"),
        pytest.param(b'{"type":"ADDED","object":' + b"[" * 100_000 + b"\n", id="nested without end"),
        pytest.param(
            b'{"type":"ADDED","object":{"metadata":{"name":"x","uid":"x","creationTimestamp":"yesterday"}}}\n',
            id="a time that is none",
        ),
    ],
)
async def test_a_broken_object_costs_itself_alone(server: StandIn, api: Api, line: bytes) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(lambda: watch.synced.is_set() and server.watchers(PODS) > 0)
        server.send(PODS, line)
        server.put(PODS, pod_json("h"))
        await until(lambda: names(watch) == "abcdefgh")
        assert watch.statistics["Pod"].malformed == 1
        assert watch.statistics["Pod"].errors == 0


async def test_a_broken_object_in_a_list_costs_itself_alone(server: StandIn, api: Api) -> None:
    server.put(PODS, changed(pod_json("broken"), metadata__labels=[]))
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        assert names(watch) == "abcdefg"
        assert watch.statistics["Pod"].malformed == 1


async def test_an_object_that_breaks_keeps_what_was_known_of_it_over_a_relist(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        server.put(PODS, changed(pod_json("a"), status="odd"))
        server.forget()
        server.cut(PODS)
        await until(lambda: watch.statistics["Pod"].lists >= 2 and state(watch) is SourceState.SYNCED)
        assert names(watch) == "abcdefg"


async def test_an_enormous_line_is_skipped_and_counted(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(lambda: watch.synced.is_set() and server.watchers(PODS) > 0)
        piece = b"x" * (1 << 20)
        for _ in range(17):
            server.send(PODS, piece)
        server.send(PODS, b"\n")
        server.put(PODS, pod_json("h"))
        await until(lambda: names(watch) == "abcdefgh")
        assert watch.statistics["Pod"].oversized == 1


async def test_a_large_object_is_read(server: StandIn, api: Api) -> None:
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        server.put(PODS, pod_json("h", annotations={"large": "x" * (3 << 20)}))
        await until(lambda: names(watch) == "abcdefgh")


async def test_unknown_fields_and_nulls_are_nothing_special(server: StandIn, api: Api) -> None:
    odd = {"metadata": {"name": "odd", "namespace": "shop", "uid": "odd", "labels": None, "new": [1]}, "spec": None}
    server.put(PODS, {**odd, "spec": {"containers": None, "volumes": None, "fancy": {}}, "status": {"phase": None}})
    async with following(api, kinds("Pod")) as watch:
        await until(watch.synced.is_set)
        assert "odd" in {key.name for key in watch.store.rows(PodRow)}


async def test_only_warnings_are_asked_for_and_an_error_in_their_watch_is_understood(server: StandIn, api: Api) -> None:
    event = {"metadata": {"name": "e", "namespace": "shop", "uid": "e"}, "involvedObject": {"kind": "Pod", "name": "a"}}
    server.put(EVENTS, event)
    async with following(api, kinds("Event")) as watch:
        await until(watch.synced.is_set)
        server.forget()
        server.cut(EVENTS)
        await until(lambda: watch.statistics["Event"].lists > 1 and state(watch, "Event") is SourceState.SYNCED)
        assert len(watch.store.rows(EventRow)) == 1
        assert all(
            params.get("fieldSelector") == "type=Warning" for _, path, params in server.requests if path == EVENTS
        )


async def test_a_server_that_is_down_at_the_start_is_waited_for(tmp_path: Path) -> None:
    async with StandIn().serving() as server, connected(server, tmp_path, attempts=1) as api:
        server.answer_always("/version", 503, status_body(503, "starting up"))
        async with following(api, kinds("Pod")) as watch:
            await until(lambda: "starting up" in watch.store.sources["Pod"].reason)
            assert state(watch) is SourceState.STARTING
            server.recover("/version")
            await until(watch.synced.is_set)
            assert watch.store.server_version == "v1.36.0"
