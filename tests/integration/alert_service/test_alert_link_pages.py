"""Signed links: looking changes nothing, whoever looks; a person who confirms acts once."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from tests.support.alert_acting import Acting
from tests.support.alert_database import alert_rows
from tests.support.alert_incidents import an_alert
from tests.support.web import ADMIN_TOKEN, READ_TOKEN

from alert_service.clicks.links import PATH
from alert_service.incidents.acts import ActKind
from alert_service.incidents.incident import Incident, IncidentState
from common.database.connections import Database
from devchat.crawlers import AGENTS

pytestmark = pytest.mark.database

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def acting(alert_database: Database) -> AsyncIterator[Acting]:
    made = Acting(alert_database)
    yield made
    await made.close()


def link(acting: Acting, incident: Incident, act: ActKind = ActKind.ACKNOWLEDGE, **value: object) -> str:
    token = acting.signer.sign(act, acting.value(incident, **value), channel="sre", now=acting.clock.now())
    return PATH + token


async def confirm(acting: Acting, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
    return await acting.ask("POST", path, content=urlencode(form), headers={**FORM, **(headers or {})})


def shown(answer: httpx.Response) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)).split())


async def everything(acting: Acting) -> list[tuple[object, ...]]:
    """All that a link could change."""
    tables = ("incident", "member", "timeline", "delivery", "click", "used_link", "silence", "vote")
    rows = [await alert_rows(acting.database, f"SELECT '{name}', to_jsonb(t)::text FROM {name} t") for name in tables]
    return sorted(row for each in rows for row in each)


async def test_no_previewer_changes_anything_by_opening_a_link(acting: Acting) -> None:
    incident = await acting.opens()
    before = await everything(acting)

    for act in ActKind:
        for agent in AGENTS:
            for method in ("HEAD", "GET"):
                headers = {"User-Agent": agent}
                answer = await acting.ask(method, link(acting, incident, act, run_id=uuid4()), headers=headers)
                assert answer.status_code == 200
                assert bool(answer.content) is (method == "GET")

    assert await everything(acting) == before
    assert acting.healing.decided == []


async def test_a_previewer_that_presses_what_it_finds_changes_nothing(acting: Acting) -> None:
    """Some run what pages hold, and post their forms; none of them knows who it is."""
    incident = await acting.opens()
    before = await everything(acting)

    for act in (ActKind.ACKNOWLEDGE, ActKind.APPROVE, ActKind.SILENCE, ActKind.ESCALATE):
        answer = await confirm(acting, link(acting, incident, act, run_id=uuid4()))
        assert answer.status_code == 403

    assert await everything(acting) == before
    assert acting.healing.decided == []


async def test_the_page_tells_what_would_be_done_and_asks_who_it_is(acting: Acting) -> None:
    labels = {"alertname": "<b>Bad</b>", "namespace": "shop"}
    incident = await acting.opens(an_alert(labels, at=acting.clock.now()))

    answer = await acting.ask("GET", link(acting, incident))

    assert "Acknowledge? <b>Bad</b>: shop" in shown(answer)
    assert "warning" in shown(answer)
    assert "<b>Bad" not in answer.text  # it is text, whatever labels hold
    assert '<option value="Ana">' in answer.text


async def test_the_page_loads_nothing_is_framed_by_nothing_and_is_kept_by_nobody(acting: Acting) -> None:
    answer = await acting.ask("GET", link(acting, await acting.opens()))

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, flags=re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert "<script" not in answer.text
    assert not re.search(r"https?://|src=|@import|url\(", answer.text)


async def test_a_person_who_confirms_acts_once(acting: Acting) -> None:
    incident = await acting.opens()
    path = link(acting, incident)

    first, second = await confirm(acting, path, person="Ana"), await confirm(acting, path, person="ben")

    assert "Acknowledge: done" in shown(first)
    assert "This link was used" in shown(second)
    assert "Ana" in shown(second)
    assert "This link was used" in shown(await acting.ask("GET", path))
    now = await acting.incident(incident)
    assert now.acknowledgement is not None
    assert now.acknowledgement.by == "ana@example.com"
    assert [kind for kind, _ in await acting.happened(incident)] == ["acknowledged"]
    # That nobody proved the name is said.
    assert await acting.happened(incident) == [("acknowledged", "Ana (by a link) acknowledged it")]


async def test_a_link_that_is_confirmed_many_times_at_once_acts_once(acting: Acting) -> None:
    path = link(acting, incident := await acting.opens())

    answers = await asyncio.gather(*(confirm(acting, path, person="ana") for _ in range(6)))

    assert {each.status_code for each in answers} == {200}
    assert sum("Acknowledge: done" in shown(each) for each in answers) == 1
    assert len(await acting.happened(incident)) == 1


async def test_a_link_shows_that_its_card_was_seen(acting: Acting) -> None:
    incident = await acting.opens()
    await alert_rows(acting.database, "UPDATE delivery SET state = 'accepted'")

    await confirm(acting, link(acting, incident), person="ana")

    assert ("card", "acted") in await alert_rows(acting.database, "SELECT kind, state FROM delivery")


async def test_a_link_that_changed_nothing_may_be_used_still(acting: Acting) -> None:
    incident = await acting.opens()
    path = link(acting, incident, ActKind.ESCALATE)

    refused = await confirm(acting, path, person="ben")

    assert "Nothing was changed" in shown(refused)
    assert await alert_rows(acting.database, "SELECT * FROM used_link") == []
    assert "Escalate now?" in shown(await acting.ask("GET", path))


async def test_whoever_the_policy_does_not_name_cannot_use_a_link(acting: Acting) -> None:
    path = link(acting, incident := await acting.opens())

    answer = await confirm(acting, path, person="eve<script>")

    assert answer.status_code == 403
    assert "nobody called eve<script>" in shown(answer)
    assert "<script>" not in answer.text
    assert (await acting.incident(incident)).state is IncidentState.FIRING


async def test_a_link_of_a_resolved_incident_is_a_friendly_no(acting: Acting) -> None:
    incident = await acting.opens()
    await confirm(acting, link(acting, incident, ActKind.RESOLVE), person="ana")

    answer = await confirm(acting, link(acting, incident), person="ana")

    assert answer.status_code == 200
    assert "nothing is left to do" in shown(answer)
    assert (await acting.incident(incident)).state is IncidentState.RESOLVED


async def test_approving_takes_the_token_of_a_person_who_may(acting: Acting) -> None:
    incident, run = await acting.opens(), uuid4()
    path = link(acting, incident, ActKind.APPROVE, run_id=run)

    assert "Your token" in shown(await acting.ask("GET", path))
    assert (await confirm(acting, path, person="ana")).status_code == 403
    assert (await confirm(acting, path, token="guessed")).status_code == 403
    assert "Nothing was changed" in shown(await confirm(acting, path, token=READ_TOKEN))
    assert acting.healing.decided == []

    assert "Approve healing: done" in shown(await confirm(acting, path, token=ADMIN_TOKEN))
    assert acting.healing.decided == [("approve", run, "admin")]


async def test_a_proxy_in_front_says_who_it_is(acting: Acting) -> None:
    acting.services.person_header = "X-Auth-Request-Email"
    incident, run = await acting.opens(), uuid4()
    path = link(acting, incident, ActKind.APPROVE, run_id=run)

    assert (await confirm(acting, path, person="ana")).status_code == 403
    answer = await confirm(acting, path, {"X-Auth-Request-Email": "ana@example.com"})

    assert "Approve healing: done" in shown(answer)
    assert acting.healing.decided == [("approve", run, "ana@example.com")]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, id="as browsers say"),
        pytest.param({"Origin": "https://evil.example"}, id="as old browsers say"),
    ],
)
async def test_another_sites_page_cannot_post_a_link(acting: Acting, headers: dict[str, str]) -> None:
    path = link(acting, incident := await acting.opens())

    answer = await confirm(acting, path, headers, person="ana")

    assert answer.status_code == 403
    assert (await acting.incident(incident)).state is IncidentState.FIRING


async def test_what_programs_add_to_a_link_does_not_keep_people_from_its_page(acting: Acting) -> None:
    path = link(acting, await acting.opens())
    assert (await acting.ask("GET", f"{path}?utm_source=chat&next=https://evil.example")).status_code == 200


async def test_a_link_that_must_not_be_followed_says_no_more_than_needed(acting: Acting) -> None:
    path = link(acting, incident := await acting.opens())
    forged = path[:-10] + ("A" if path[-10] != "A" else "B") + path[-9:]

    assert (await confirm(acting, forged, person="ana")).status_code == 403
    assert (await acting.ask("GET", PATH + "nonsense")).status_code == 403
    assert (await acting.ask("GET", PATH + "a" * 5000)).status_code == 403
    acting.clock.step(3600)
    late = await confirm(acting, path, person="ana")

    assert late.status_code == 410
    assert "This link has expired" in shown(late)
    assert acting.refused == [("link", "forged"), ("link", "malformed"), ("link", "malformed"), ("link", "expired")]
    assert (await acting.incident(incident)).state is IncidentState.FIRING


async def test_what_a_replica_left_half_done_can_be_done_again_a_minute_later(acting: Acting) -> None:
    path = link(acting, incident := await acting.opens())
    token = acting.signer.read(path.removeprefix(PATH), acting.clock.now())
    assert await acting.used_links.claim(token, "Ana", acting.clock.now()) is None  # and the replica dies

    acting.clock.step(30)
    assert "being worked on" in shown(await confirm(acting, path, person="ana"))
    acting.clock.step(31)
    assert "Acknowledge: done" in shown(await confirm(acting, path, person="ana"))
    assert (await acting.incident(incident)).state is IncidentState.ACKNOWLEDGED


async def test_the_page_of_a_question_answers_it(acting: Acting) -> None:
    answer = await acting.ask("GET", link(acting, await acting.opens(), ActKind.EXPLAIN))

    assert "Why <incident>" in shown(answer)


async def test_without_a_database_the_page_says_try_again(acting: Acting) -> None:
    path = link(acting, await acting.opens())
    acting.services.storage.stored = None

    answer = await confirm(acting, path, person="ana")

    assert answer.status_code == 503
    assert "Nothing was done" in shown(answer)
