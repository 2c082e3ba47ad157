"""Silences in a real Alertmanager: what one would mute, those of buttons, and how they end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml
from tests.support.alert_acting import Acting
from tests.support.alert_database import alert_rows
from tests.support.alert_incidents import an_alert
from tests.support.monitoring import RunAlertmanager, RunPrometheus, scraping
from tests.support.waiting import eventually
from tests.support.web import ADMIN_TOKEN, OPERATE_TOKEN, READ_TOKEN

from alert_service.clicks.people import People
from alert_service.clients.prometheus import Prometheus
from alert_service.incidents.acts import Act, ActKind, Answer, Via
from alert_service.incidents.alert import Alert
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import Incident, SuppressionReason
from alert_service.routing.matchers import parse_matcher
from common.database.connections import Database

pytestmark = [pytest.mark.database]

NOBODY = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
LABELS = {"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": "web-0"}
SILENCES = {"longest": "1d", "widest": 3, "remind_before": "30m"}


@pytest.fixture
async def acting(alert_database: Database, run_alertmanager: RunAlertmanager) -> AsyncIterator[Acting]:
    made = Acting(alert_database, run_alertmanager(NOBODY).url, silences=SILENCES)
    yield made
    await made.close()


async def fires(acting: Acting, *labels: dict[str, str]) -> None:
    """In Alertmanager, which lists them at once."""
    assert acting.alertmanager is not None
    alerts = [{"labels": {"severity": "warning", **each}} for each in labels]
    body = await acting.alertmanager._asking.ask("POST", "/api/v2/alerts", content=alerts)
    assert body == b""


def told_of(acting: Acting, labels: dict[str, str]) -> Alert:
    """The same alert as Alertmanager posts it."""
    return an_alert(labels, at=acting.clock.now(), fingerprint=fingerprint_of({**labels, "severity": "warning"}))


async def silence(acting: Acting, incident: Incident, hours: float | None = 1, who: str = "ana") -> Answer:
    """As a button asks for it."""
    by = People.of(acting.policy).called(who)
    assert by is not None
    return await acting.performing.act(
        Act(
            kind=ActKind.SILENCE,
            incident_id=incident.id,
            by=by,
            via=Via.SLACK,
            at=acting.clock.now(),
            duration=None if hours is None else timedelta(hours=hours),
        )
    )


async def there(acting: Acting) -> list[Any]:
    """Those that have not ended, as Alertmanager says."""
    assert acting.alertmanager is not None
    return [each for each in await acting.alertmanager.silences() if not each.over]


async def replies(acting: Acting) -> list[tuple[Any, ...]]:
    """What people are told of silences."""
    sql = "SELECT text, mentions, loud FROM delivery WHERE reason = 'silence_ends' AND kind = 'reply' ORDER BY number"
    return await alert_rows(acting.database, sql)


async def has_a_card(acting: Acting, incident: Incident) -> None:
    sql = "INSERT INTO card VALUES ('sre', :subject, :id, 'C0', '1', 1, now())"
    await alert_rows(acting.database, sql, subject=str(incident.id), id=incident.id)


async def test_a_button_silences_what_the_alerts_have_in_common_in_alertmanager_and_here(acting: Acting) -> None:
    await fires(acting, LABELS)
    incident = await acting.opens(told_of(acting, LABELS))

    answer = await silence(acting, incident)

    assert answer == Answer(changed=True, text="silenced for 1 h")
    (made,) = await there(acting)
    assert made.created_by == "ana@example.com"
    assert 'pod="web-0"' in made.matcher_texts
    assert made.ends_at == acting.clock.now() + timedelta(hours=1)
    assert acting.alertmanager is not None
    (alert,) = await acting.alertmanager.alerts()
    await eventually(lambda: _is_silenced(acting, made.id))
    assert alert.fingerprint in incident.members
    now = await acting.incident(incident)
    assert now.silences == (made.id,)
    assert now.suppression is not None
    assert now.suppression.reason is SuppressionReason.SILENCED
    assert now.escalation is None
    assert await acting.happened(incident) == [("silenced", "Ana silenced it for 1 h")]


async def _is_silenced(acting: Acting, silence_id: str) -> bool:
    assert acting.alertmanager is not None
    return any(silence_id in each.status.silenced_by for each in await acting.alertmanager.alerts())


async def test_silencing_again_makes_the_same_silence_longer(acting: Acting) -> None:
    incident = await acting.opens(told_of(acting, LABELS))

    await silence(acting, incident, 1)
    await silence(acting, incident, 4)

    (made,) = await there(acting)
    assert made.ends_at == acting.clock.now() + timedelta(hours=4)
    assert (await acting.incident(incident)).silences == (made.id,)


async def test_a_silence_until_it_resolves_is_put_off_and_ends_with_the_incident(acting: Acting) -> None:
    incident = await acting.opens(told_of(acting, LABELS))
    assert (await silence(acting, incident, None)).text == "silenced until it resolves"

    acting.clock.step(timedelta(minutes=45))
    await acting.keeper.look()
    (made,) = await there(acting)
    assert made.ends_at == acting.clock.now() + timedelta(hours=1)
    assert (await acting.silence_rows.of_incident(incident.id)) is not None

    await resolve(acting, incident)
    await acting.keeper.look()
    assert await there(acting) == []
    assert await acting.silence_rows.standing() == []
    assert (await acting.incident(incident)).silenced is None
    assert await replies(acting) == []  # whoever sees that it is resolved needs no more


async def resolve(acting: Acting, incident: Incident) -> None:
    ana = People.of(acting.policy).called("ana")
    assert ana is not None
    act = Act(kind=ActKind.RESOLVE, incident_id=incident.id, by=ana, via=Via.API, at=acting.clock.now())
    assert (await acting.desk.act(act)).changed


async def test_whoever_made_a_silence_is_reminded_before_it_ends_while_something_fires(acting: Acting) -> None:
    await fires(acting, LABELS)
    incident = await acting.opens(told_of(acting, LABELS))
    await has_a_card(acting, incident)
    await silence(acting, incident, 4)

    await acting.keeper.look()
    assert await replies(acting) == []
    acting.clock.step(timedelta(hours=3, minutes=40))
    await acting.keeper.look()
    await acting.keeper.look()  # once is enough

    text = "The silence by Ana ends in 20 min; 1 still fires: 1 KubePodCrashLooping"
    assert await replies(acting) == [(text, ["ana"], True)]


async def test_nobody_is_reminded_of_a_silence_of_what_fires_no_more(acting: Acting) -> None:
    incident = await acting.opens(told_of(acting, LABELS))
    await has_a_card(acting, incident)
    await silence(acting, incident, 4)

    acting.clock.step(timedelta(hours=3, minutes=40))
    await acting.keeper.look()

    assert await replies(acting) == []


async def test_a_silence_that_somebody_ended_in_alertmanager_is_told_and_people_hear_of_it_again(
    acting: Acting,
) -> None:
    await fires(acting, LABELS)
    incident = await acting.opens(told_of(acting, LABELS))
    await silence(acting, incident, 4)
    (made,) = await there(acting)
    assert acting.alertmanager is not None
    await acting.alertmanager.expire(made.id)

    await acting.keeper.look()
    await acting.keeper.look()

    ((text, _, loud),) = await replies(acting)
    assert text == "The silence by Ana was ended in Alertmanager; 1 still fires: 1 KubePodCrashLooping"
    assert loud
    now = await acting.incident(incident)
    assert (now.silences, now.silenced, now.suppression) == ((), None, None)


async def test_a_wide_silence_by_button_says_what_to_do_instead(acting: Acting) -> None:
    alerts = [{**LABELS, "pod": f"web-{number}"} for number in range(4)]
    await fires(acting, *alerts)
    incident = await acting.opens(*(told_of(acting, each) for each in alerts))

    answer = await silence(acting, incident)

    assert not answer.changed
    assert "4 alerts (4 KubePodCrashLooping), more than 3" in answer.text
    assert "POST /api/v1/silences" in answer.text
    assert await there(acting) == []
    assert await acting.incident(incident) == incident


async def test_an_incident_that_has_resolved_is_not_silenced(acting: Acting) -> None:
    incident = await acting.opens(told_of(acting, LABELS))
    await resolve(acting, incident)

    assert "nothing to silence" in (await silence(acting, incident)).text
    assert await there(acting) == []


async def test_while_alertmanager_is_away_nothing_is_silenced_here_either(
    alert_database: Database, run_alertmanager: RunAlertmanager
) -> None:
    server = run_alertmanager(NOBODY)
    acting = Acting(alert_database, server.url)
    incident = await acting.opens(told_of(acting, LABELS))
    await asyncio.to_thread(server.stop)

    answer = await silence(acting, incident)

    assert not answer.changed
    assert "Alertmanager at" in answer.text
    assert await acting.incident(incident) == incident
    answered = await acting.ask("GET", "/api/v1/silences", READ_TOKEN)
    assert answered.status_code == 503
    await acting.close()


async def test_silences_over_http(acting: Acting) -> None:
    """From the preview over another end to the end."""
    month_ago, long_ago = acting.clock.now() - timedelta(days=20), acting.clock.now() - timedelta(days=40)
    await fires(acting, LABELS, {**LABELS, "pod": "web-1", "severity": "critical"}, {"alertname": "Other"})
    await told(acting, {**LABELS, "pod": "web-8"}, month_ago)
    await told(acting, {**LABELS, "pod": "web-9"}, long_ago)
    await told(acting, {"alertname": "Other", "namespace": "shop"}, month_ago)
    shop = {"matchers": ['alertname="KubePodCrashLooping"', 'namespace=~"sh.*"']}

    preview = await ask(acting, READ_TOKEN, "/preview", **shop)
    assert preview.json() | {"alerts": []} == {
        "now": 2,
        "critical_now": 1,
        "last_30_days": 1,
        "alertnames": {"KubePodCrashLooping": 3},
        "alerts": [],
        "takes_reason": False,
    }
    assert preview.json()["alerts"][0]["severity"] == "critical"
    assert await there(acting) == []

    ends_at = acting.clock.now() + timedelta(hours=2)
    made = await ask(acting, OPERATE_TOKEN, "", **shop, ends_at=ends_at.isoformat(), comment="a deployment")
    assert made.status_code == 201
    later = (ends_at + timedelta(hours=1)).isoformat()
    extended = await ask(acting, OPERATE_TOKEN, f"/{made.json()['id']}/extend", ends_at=later)
    assert extended.status_code == 200
    (listed,) = (await acting.ask("GET", "/api/v1/silences", READ_TOKEN)).json()["items"]
    assert listed["id"] == extended.json()["id"]
    assert listed["matchers"] == shop["matchers"]
    assert (listed["created_by"], listed["comment"], listed["made_here"]) == ("operator", "a deployment", True)
    assert datetime.fromisoformat(listed["ends_at"]) == ends_at + timedelta(hours=1)

    for _ in range(2):
        assert (await ask(acting, OPERATE_TOKEN, f"/{listed['id']}/expire")).status_code == 204
    assert (await acting.ask("GET", "/api/v1/silences", READ_TOKEN)).json() == {"items": []}
    assert len((await acting.ask("GET", "/api/v1/silences?expired=true", READ_TOKEN)).json()["items"]) == 1
    gone = await ask(acting, OPERATE_TOKEN, f"/{listed['id']}/extend", ends_at=later)
    assert gone.status_code == 404
    assert "make a new one" in gone.json()["detail"]


OLD = {"groups": [{"name": "test", "rules": [{"alert": "Old", "expr": "vector(1)", "labels": {"namespace": "shop"}}]}]}


async def test_a_preview_counts_what_prometheus_remembers(
    alert_database: Database, run_alertmanager: RunAlertmanager, run_prometheus: RunPrometheus
) -> None:
    """Also by labels that it adds only when it sends alerts."""
    config = scraping({}, [], ["old.yaml"])
    config["global"]["external_labels"] = {"cluster": "prod"}
    server = run_prometheus(config, files={"old.yaml": yaml.safe_dump(OLD)})
    acting = Acting(alert_database, run_alertmanager(NOBODY).url, Prometheus(server.url))

    async def counted(*matchers: str) -> int:
        acting.clock.step(datetime.now(UTC) - acting.clock.now())
        preview = await ask(acting, READ_TOKEN, "/preview", matchers=list(matchers))
        return int(preview.json()["last_30_days"])

    await eventually(lambda: counted("alertname=Old"), within_seconds=60)
    assert await counted("alertname=Old", 'cluster=~"pr.+"', "namespace=shop") == 1
    assert await counted("alertname=Old", "cluster=other") == 0
    assert await counted("alertname=Old", "namespace=other") == 0
    await asyncio.to_thread(server.stop)
    assert await counted("alertname=Old") == 0  # without its answer that is not known
    await acting.close()


async def test_what_must_not_be_silenced_is_refused_over_http(acting: Acting) -> None:
    await fires(acting, *({**LABELS, "pod": f"web-{number}"} for number in range(4)))
    wide, hour = {"matchers": ['namespace="shop"']}, (acting.clock.now() + timedelta(hours=1)).isoformat()
    week = (acting.clock.now() + timedelta(days=7)).isoformat()

    answers = [
        await ask(acting, READ_TOKEN, "", **wide, ends_at=hour),
        await ask(acting, OPERATE_TOKEN, "", **wide, ends_at=hour),
        await ask(acting, OPERATE_TOKEN, "", matchers=['namespace=~".*"'], ends_at=hour, comment="all"),
        await ask(acting, OPERATE_TOKEN, "", **wide, ends_at=week, comment="long"),
        await ask(acting, OPERATE_TOKEN, "", matchers=["namespace=shop}"], ends_at=hour),
        await ask(acting, OPERATE_TOKEN, "", matchers=[], ends_at=hour),
    ]

    said = [(each.status_code, each.json().get("reason")) for each in answers]
    assert said == [
        (403, None),
        (409, "reason_missing"),
        (409, "matches_everything"),
        (409, "too_long"),
        (422, None),
        (422, None),
    ]
    assert await there(acting) == []
    assert (await ask(acting, ADMIN_TOKEN, "", **wide, ends_at=hour, comment="a move")).status_code == 201


async def ask(acting: Acting, token: str, path: str, **body: Any) -> httpx.Response:
    return await acting.ask("POST", f"/api/v1/silences{path}", token, json=body or None)


async def told(acting: Acting, labels: dict[str, str], at: datetime) -> None:
    """An alert that was told at that time, and has ended."""
    incident = await acting.opens(an_alert(labels, at=at.astimezone(UTC)))
    await alert_rows(
        acting.database,
        "UPDATE member SET seen_at = :at, status = 'resolved' WHERE incident_id = :id",
        at=at,
        id=incident.id,
    )


async def extended(acting: Acting, silence_id: str, ends_at: datetime) -> str:
    """By its id from then on."""
    answered = await ask(acting, OPERATE_TOKEN, f"/{silence_id}/extend", ends_at=ends_at.isoformat())
    assert answered.status_code == 200, answered.text
    return str(answered.json()["id"])


async def is_silenced_by(acting: Acting, incident: Incident) -> tuple[tuple[str, ...], datetime | None]:
    """Its ids, and until when; once whoever keeps them has looked."""
    await acting.keeper.look()
    now = await acting.incident(incident)
    assert (now.suppression is not None) is (now.silenced is not None)
    return now.silences, None if now.silenced is None else now.silenced.until


async def test_an_incident_goes_by_the_end_and_the_id_that_its_silence_was_given(acting: Acting) -> None:
    """Alertmanager gives another id when it cannot change the old one."""
    await fires(acting, LABELS)
    incident = await acting.opens(told_of(acting, LABELS))
    await silence(acting, incident, 1)
    (made,) = await there(acting)
    acting.clock.step(timedelta(minutes=1))
    later = acting.clock.now() + timedelta(hours=3)

    assert await extended(acting, made.id, later) == made.id
    assert await is_silenced_by(acting, incident) == ((made.id,), later)

    known = await acting.silence_rows.get(made.id)
    assert known is not None
    assert acting.silencing is not None
    other_beginning = replace(known, starts_at=known.starts_at - timedelta(minutes=5))
    changed = await acting.silencing._change(other_beginning)
    assert changed.id != made.id
    await eventually(lambda: _is_silenced(acting, changed.id))
    acting.clock.step(timedelta(minutes=1))
    assert await is_silenced_by(acting, incident) == ((changed.id,), later)

    answered = await ask(acting, OPERATE_TOKEN, f"/{changed.id}/expire")
    assert answered.status_code == 204
    assert await is_silenced_by(acting, incident) == ((), None)
    ((text, _, loud),) = await replies(acting)
    assert (text, loud) == ("no silence in Alertmanager mutes it any more", True)


async def test_a_silence_that_somebody_made_elsewhere_keeps_people_from_being_told_here_too(acting: Acting) -> None:
    both = [LABELS, {**LABELS, "pod": "web-1"}]
    await fires(acting, *both)
    incident = await acting.opens(*(told_of(acting, each) for each in both))
    assert acting.alertmanager is not None
    now = acting.clock.now()

    async def made(pods: str) -> str:
        assert acting.alertmanager is not None
        matchers = [parse_matcher("namespace=shop"), parse_matcher(f'pod=~"{pods}"')]
        made = await acting.alertmanager.create(
            matchers, starts_at=now, ends_at=now + timedelta(hours=2), created_by="ana@example.com", comment=""
        )
        await eventually(lambda: _is_silenced(acting, made))
        return made

    half = await made("web-0")
    acting.clock.step(timedelta(minutes=1))
    assert await is_silenced_by(acting, incident) == ((), None)  # web-1 is told

    other = await made("web-1")
    assert await is_silenced_by(acting, incident) == (tuple(sorted([half, other])), now + timedelta(hours=2))
    assert await is_silenced_by(acting, incident) == (tuple(sorted([half, other])), now + timedelta(hours=2))
    sql = "SELECT text FROM timeline WHERE incident_id = :id AND kind = 'silenced'"
    assert await alert_rows(acting.database, sql, id=incident.id) == [
        ("silenced in Alertmanager by Ana, for 1 h 59 min",)
    ]

    await acting.alertmanager.expire(half)
    assert await is_silenced_by(acting, incident) == ((other,), now + timedelta(hours=2))
    await acting.alertmanager.expire(other)
    assert await is_silenced_by(acting, incident) == ((), None)


async def test_a_silence_of_which_this_alertmanager_has_not_heard_yet_is_given_time(acting: Acting) -> None:
    """Its peer made it a moment ago."""
    await fires(acting, LABELS)
    incident = await acting.opens(told_of(acting, LABELS))
    await silence(acting, incident, 4)
    known = await acting.silence_rows.of_incident(incident.id)
    assert known is not None
    await acting.silence_rows.keep(replace(known, id="of-its-peer"), instead_of=known.id)

    await acting.keeper.look()
    assert len(await acting.silence_rows.standing()) == 1
    acting.clock.step(timedelta(minutes=1))
    await acting.keeper.look()
    assert await acting.silence_rows.standing() == []


async def test_what_another_silence_mutes_still_is_not_said_to_be_told_again(acting: Acting) -> None:
    await fires(acting, LABELS)
    incident = await acting.opens(told_of(acting, LABELS))
    await has_a_card(acting, incident)
    await silence(acting, incident, 4)
    assert acting.alertmanager is not None
    now = acting.clock.now()
    await acting.alertmanager.create(
        [parse_matcher("namespace=shop")], starts_at=now, ends_at=now + timedelta(days=1), created_by="ben", comment=""
    )

    acting.clock.step(timedelta(hours=3, minutes=40))
    await acting.keeper.look()

    assert await replies(acting) == []
