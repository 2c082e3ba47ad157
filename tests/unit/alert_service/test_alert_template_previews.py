"""Templates tried before they are put into force: by the command line, and over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from tests.support.clock import NOON
from tests.support.command_line import failed_line
from tests.support.web import OPERATE_TOKEN, READ_TOKEN, TOKENS, client_of

from alert_service.__main__ import main
from alert_service.api import templates
from alert_service.policy.settings import AlertPolicy
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings

BEGIN = '{% extends "shipped/incident.j2" %}'
BAD = f"{BEGIN}{{% block body %}}{{{{ nothing }}}}{{% endblock %}}"
GOOD = f"{BEGIN}{{% block title %}}Mine{{% endblock %}}"
PREVIEW = "/api/v1/templates/preview"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "incident.j2").write_text(GOOD)
    return tmp_path


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        "alert_service",
        "0",
        routers=[templates.router],
        authenticator=TOKENS,
        probes=[],
        metrics=ServiceMetrics("alert_service", "0"),
        settings=WebSettings(),
    )
    policy = AlertPolicy(templates=str(folder))
    app.state.services = SimpleNamespace(policy=lambda: policy, now=lambda: NOON)
    async with client_of(app, OPERATE_TOKEN) as client:
        yield client


def test_the_shipped_templates_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "check"]) == 0
    assert capsys.readouterr().out == "good: incident, storm, message\n"


def test_a_folder_is_checked_with_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "incident.j2").write_text(BAD)
    assert main(["template", "check", "--folder", str(folder)]) == 1
    assert "template incident.j2, line 1: 'nothing' is undefined" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        pytest.param(f"{BEGIN}{{% block fact %}}Team: x{{% endblock %}}", "fact", id="a mistyped block"),
        pytest.param(GOOD, "", id="a block of the shipped template"),
        pytest.param(
            f"{BEGIN}{{% block body %}}{{% block mine %}}x{{% endblock %}}{{% endblock %}}", "", id="a block within one"
        ),
        pytest.param('{% extends "base.j2" %}{% block extra %}x{% endblock %}', "", id="a block of one's own base"),
        pytest.param('{% extends "base.j2" %}{% block extras %}x{% endblock %}', "extras", id="and not of it"),
    ],
)
def test_a_block_that_nothing_shows_is_a_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, stray: str
) -> None:
    (folder / "base.j2").write_text(f"{BEGIN}{{% block body %}}{{% block extra %}}{{% endblock %}}{{% endblock %}}")
    (folder / "incident.j2").write_text(text)
    assert main(["template", "check", "--folder", str(folder)]) == bool(stray)
    told = capsys.readouterr().err
    assert (f"template incident.j2: nothing shows the block {stray}; there are title," in told) is bool(stray)


def test_a_list_tells_own_ones_from_shipped_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "list", "--folder", str(folder)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["incident", str(folder / "incident.j2")], ["storm", "shipped"], ["message", "shipped"]]


def test_a_shipped_template_is_printed_to_begin_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "show", "message"]) == 0
    assert "{% block body %}{{ text }}{% endblock %}" in capsys.readouterr().out


def test_a_preview_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "preview", "incident", "--state", "acknowledged", "--folder", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("--- acknowledged\n(acknowledged) Mine\n")
    assert "[Acknowledge] [Un-acknowledge]" in out


@pytest.mark.parametrize(
    ("form", "key", "value"),
    [
        pytest.param("slack", "blocks", "header", id="blocks for Slack's builder"),
        pytest.param("teams", "body", "Container", id="an adaptive card for its designer"),
    ],
)
def test_a_preview_for_a_vendor(form: str, key: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "preview", "storm", "--as", form]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [cards[state][key][0]["type"] for state in ("rages", "over")] == [value, value]


def test_a_preview_of_a_template_that_fails_shows_what_would_be_sent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "incident.j2").write_text(BAD)
    assert main(["template", "preview", "incident", "--state", "firing", "--folder", str(folder)]) == 1
    said = capsys.readouterr()
    assert "Pod is crash looping" in said.out
    assert said.err.count("'nothing' is undefined") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(["check", "--folder", "/nowhere"], "there is no folder /nowhere", id="no such folder"),
        pytest.param(["preview", "storm", "--state", "x"], "there are rages, over", id="no such state"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in failed_line("alert-service", main, capsys, "template", *arguments)


async def test_the_templates_are_listed(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/templates")).json()["items"]
    assert [(each["name"], each["own"]) for each in found] == [("incident", True), ("storm", False), ("message", False)]
    assert found[0]["shipped"].startswith("{#")


@pytest.mark.parametrize(
    ("wanted", "valid", "title"),
    [
        pytest.param({}, True, "Mine", id="as it is in the policy's folder"),
        pytest.param({"text": GOOD.replace("Mine", "Other")}, True, "Other", id="as it would be"),
        pytest.param({"text": BAD}, False, "KubePodCrashLooping: shop/checkout", id="one that fails"),
        pytest.param({"dialect": "slack"}, True, "Mine", id="in a channel's markup"),
    ],
)
async def test_a_preview_over_http(
    client: httpx.AsyncClient, wanted: dict[str, str], *, valid: bool, title: str
) -> None:
    answer = await client.post(PREVIEW, json={"template": "incident", **wanted})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["valid"] is valid
    assert (found["cards"][0]["state"], found["cards"][0]["title"]) == ("firing", title)
    assert bool(found["cards"][0]["error"]) is not valid
    assert ("<!date^" in found["cards"][0]["status"]) is (wanted.get("dialect") == "slack")


@pytest.mark.parametrize(
    ("token", "wanted", "status"),
    [
        pytest.param(READ_TOKEN, {"template": "storm"}, 403, id="whoever may only read runs no templates"),
        pytest.param(OPERATE_TOKEN, {"template": "weather"}, 422, id="no such template"),
        pytest.param(OPERATE_TOKEN, {"template": "storm", "text": "a" * 100_001}, 422, id="a text that is too long"),
    ],
)
async def test_a_preview_that_is_refused(
    client: httpx.AsyncClient, token: str, wanted: dict[str, str], status: int
) -> None:
    answer = await client.post(PREVIEW, json=wanted, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status, answer.text
