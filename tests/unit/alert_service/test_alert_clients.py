"""What is asked of Alertmanager, Prometheus and auto_healing, and what is made of every kind of answer."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from alert_service.clicks.slack_answers import SlackAnswers
from alert_service.clicks.slack_requests import Click
from alert_service.clients import asking
from alert_service.clients.alertmanager import Alertmanager
from alert_service.clients.asking import Asking, Refused, Unavailable
from alert_service.clients.healing import Healing
from alert_service.clients.prometheus import Prometheus, Series
from alert_service.incidents.acts import Person
from alert_service.routing.matchers import parse_matcher

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = UUID(int=7)
ANA = Person(name="ana@example.com", shown="Ana", rights=frozenset())
SILENCE = {
    "id": "4f1e",
    "matchers": [{"name": "alertname", "value": "A.*", "isRegex": True, "isEqual": False}],
    "startsAt": "2026-03-01T12:00:00.000Z",
    "endsAt": "2026-03-01T13:00:00.000Z",
    "updatedAt": "2026-03-01T12:00:00.000Z",
    "createdBy": "ana@example.com",
    "comment": "",
    "status": {"state": "active"},
    "annotations": {"a": "b"},  # newer versions say more
}


class Other:
    """The other side: keeps what it is asked, and answers as told."""

    def __init__(self, answer: httpx.Response | Exception | None = None) -> None:
        self.answer = answer or httpx.Response(200, json=[])
        self.asked: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def request(self) -> httpx.Request:
        return self.asked[-1]


def an_asking(other: Other, token: str = "") -> Asking:
    return Asking("http://other/base/", token, name="the other", variable="OTHER__TOKEN", transport=other.transport)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        pytest.param(httpx.Response(503, text="busy"), Unavailable, "answers 503: busy", id="a server in trouble"),
        pytest.param(
            httpx.Response(429, json={"error": "slow down"}), Unavailable, "slow down", id="too many requests"
        ),
        pytest.param(httpx.Response(401), Refused, "OTHER__TOKEN", id="a token that is not known"),
        pytest.param(httpx.Response(403, json={"detail": "lacks delegate"}), Refused, "lacks delegate", id="a problem"),
        pytest.param(httpx.Response(400, json="bad matcher"), Refused, "bad matcher", id="a text as JSON"),
        pytest.param(httpx.Response(404), Refused, "answers 404", id="an answer without words"),
        pytest.param(httpx.Response(302), Refused, "answers 302", id="a way elsewhere, which is not followed"),
        pytest.param(httpx.ConnectError("refused"), Unavailable, "does not answer: refused", id="nobody there"),
        pytest.param(httpx.ReadError(""), Unavailable, "does not answer: ReadError", id="a connection that breaks"),
    ],
)
async def test_every_kind_of_no_is_told(answer: Any, kind: type[Exception], said: str) -> None:
    asking = an_asking(Other(answer))

    with pytest.raises(kind, match=said):
        await asking.ask("GET", "/x")
    await asking.close()


async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b"x" * (1 << 16)

    monkeypatch.setattr(asking, "_MOST_BYTES", 1 << 20)
    client = an_asking(Other(httpx.Response(200, stream=Endless())))

    with pytest.raises(Unavailable, match="more than"):
        await client.ask("GET", "/x")
    await client.close()


async def test_an_answer_that_never_begins_is_given_up() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = Asking("http://other", "", name="the other", variable="X", transport=httpx.MockTransport(never))

    with pytest.raises(Unavailable, match=r"within 0\.01 s"):
        await client.ask("GET", "/x", timeout_seconds=0.01)
    await client.close()


@pytest.mark.parametrize("of", ["groups", "alerts", "silences"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>Sign in</html>", id="a page"),
        pytest.param(b'{"labels": {}}', id="no list"),
        pytest.param(b'[{"labels": 3}]', id="a list of something else"),
        pytest.param(b'[{"labels": {}, "receiver": {"name": "us"}, "alerts": [{"fingerp', id="half a list"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'[{"labels": {"a": "\xff"}}]', id="bytes that are no text"),
    ],
)
async def test_a_list_of_another_shape_is_no_list(of: str, body: bytes) -> None:
    server = Alertmanager("http://other", transport=Other(httpx.Response(200, content=body)).transport)

    with pytest.raises(Unavailable, match="answers otherwise than it should"):
        await getattr(server, of)()
    await server.close()


async def test_the_address_may_have_a_path_and_the_token_goes_with_it() -> None:
    other = Other()
    client = an_asking(other, "secret")

    await client.ask("GET", "/api/x", params={"a": ["1", "2"]})

    assert str(other.request.url) == "http://other/base/api/x?a=1&a=2"
    assert other.request.headers["authorization"] == "Bearer secret"
    await client.close()


async def test_alertmanager_is_asked_with_matchers_in_its_own_syntax() -> None:
    other = Other()
    alertmanager = Alertmanager("http://am", transport=other.transport)

    await alertmanager.alerts(matchers=[parse_matcher('a="b\\"c"'), parse_matcher("d!~e")], silenced=False)

    asked = other.request.url.params
    assert asked.get_list("filter") == ['a="b\\"c"', 'd!~"e"']
    assert (asked["silenced"], asked["active"]) == ("false", "true")
    await alertmanager.close()


async def test_a_silence_is_made_as_the_api_wants_it() -> None:
    other = Other(httpx.Response(200, json={"silenceID": "new"}))
    alertmanager = Alertmanager("http://am", transport=other.transport)
    made: Callable[..., Any] = alertmanager.create
    times = {"starts_at": NOW, "ends_at": NOW + timedelta(hours=1)}

    assert await made([parse_matcher('a=~"b"')], **times, created_by="ana", comment="c", silence_id="old") == "new"

    assert json.loads(other.request.content) == {
        "id": "old",
        "matchers": [{"name": "a", "value": "b", "isRegex": True, "isEqual": True}],
        "startsAt": "2026-03-01T12:00:00+00:00",
        "endsAt": "2026-03-01T13:00:00+00:00",
        "createdBy": "ana",
        "comment": "c",
    }
    await alertmanager.close()


async def test_a_silence_is_read_with_its_matchers() -> None:
    alertmanager = Alertmanager("http://am", transport=Other(httpx.Response(200, json=SILENCE)).transport)

    found = await alertmanager.silence("4f1e")

    assert found is not None
    assert found.matcher_texts == ['alertname!~"A.*"']
    assert [each.matches({"alertname": "Bad"}) for each in found.matchers] == [True]
    assert (found.over, found.created_by) == (False, "ana@example.com")
    await alertmanager.close()


async def test_a_silence_that_is_not_there_is_none_and_has_ended() -> None:
    alertmanager = Alertmanager("http://am", transport=Other(httpx.Response(404)).transport)

    assert await alertmanager.silence("gone") is None
    await alertmanager.expire("gone")
    await alertmanager.close()


async def test_what_is_no_alertmanager_is_told() -> None:
    alertmanager = Alertmanager("http://am", transport=Other(httpx.Response(200, json={"a": 1})).transport)

    with pytest.raises(Unavailable, match="otherwise than it should"):
        await alertmanager.alerts()
    await alertmanager.close()


async def test_healing_is_told_in_whose_name() -> None:
    other = Other(httpx.Response(200, json={"id": str(RUN), "state": "approved", "more": 1}))
    healing = Healing("http://healing", "token", transport=other.transport)

    assert (await healing.approve(RUN, ANA)).state == "approved"
    assert other.request.url.path == f"/api/v1/runs/{RUN}/approve"
    await healing.deny(RUN, ANA, "not now")

    assert other.request.headers["on-behalf-of"] == "ana@example.com"
    assert json.loads(other.request.content) == {"reason": "not now"}
    await healing.close()


async def test_an_identity_that_no_header_can_hold_is_refused() -> None:
    healing = Healing("http://healing", "token", transport=Other().transport)

    with pytest.raises(Refused, match="ASCII"):
        await healing.approve(RUN, Person(name="änne", shown="Änne", rights=frozenset()))
    await healing.close()


async def test_prometheus_answers_with_series() -> None:
    matrix = {
        "resultType": "matrix",
        "result": [{"metric": {"a": "b"}, "values": [[1772366400, "1"], [1772366460.5, "NaN"]]}],
    }
    other = Other(httpx.Response(200, json={"status": "success", "data": matrix}))
    prometheus = Prometheus("http://prometheus", transport=other.transport)

    (series,) = await prometheus.query_range("up", NOW, NOW + timedelta(hours=1), timedelta(seconds=30))

    assert other.request.url.params["step"] == "30"
    assert series.labels == {"a": "b"}
    assert series.samples[0] == (NOW, 1.0)
    assert series.samples[1][0] == NOW + timedelta(seconds=60.5)
    await prometheus.close()


async def test_prometheus_answers_with_values_of_an_instant() -> None:
    vector = {"resultType": "vector", "result": [{"metric": {}, "value": [1772366400, "2.5"]}]}
    other = Other(httpx.Response(200, json={"status": "success", "data": vector}))
    prometheus = Prometheus("http://prometheus", transport=other.transport)

    assert await prometheus.query("up", NOW) == [Series(labels={}, samples=[(NOW, 2.5)])]
    await prometheus.close()


async def test_a_query_that_is_none_is_refused_in_prometheus_words() -> None:
    answer = httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "parse error: x"})
    prometheus = Prometheus("http://prometheus", transport=Other(answer).transport)

    with pytest.raises(Refused, match="parse error: x"):
        await prometheus.query("up{", NOW)
    await prometheus.close()


def a_click(response_url: str) -> Click:
    return Click(
        id="1",
        action="acknowledge",
        value="",
        user_id="U0ANA",
        user_name="ana",
        conversation="C0",
        message_id="1",
        response_url=response_url,
    )


async def test_whoever_pressed_is_told_alone_and_in_plain_text() -> None:
    other = Other()
    answers = SlackAnswers("https://slack.com/api/", transport=other.transport)

    await answers.tell(a_click("https://hooks.slack.com/actions/x"), "<!channel> & more")

    assert json.loads(other.request.content) == {
        "response_type": "ephemeral",
        "replace_original": False,
        "text": "&lt;!channel&gt; &amp; more",
    }
    await answers.close()


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("", id="none"),
        pytest.param("http://hooks.slack.com/actions/x", id="one without TLS"),
        pytest.param("https://hooks.slack.com.example.com/x", id="one that looks like Slack's"),
        pytest.param("https://hooks.slack.com@example.com/x", id="one that begins like Slack's"),
        pytest.param("http://169.254.169.254/latest", id="one of this network"),
    ],
)
async def test_no_address_but_slacks_is_asked(address: str) -> None:
    other = Other()
    answers = SlackAnswers("https://slack.com/api/", transport=other.transport)

    await answers.tell(a_click(address), "text")

    assert other.asked == []
    await answers.close()


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.ConnectError("down")], ids=["used up", "not there"])
async def test_an_answer_that_does_not_arrive_is_no_error(answer: Any) -> None:
    answers = SlackAnswers("https://slack.com/api/", transport=Other(answer).transport)

    await answers.tell(a_click("https://hooks.slack.com/actions/x"), "text")
    await answers.close()
