"""Alertmanager's payload, version 4, read into a post."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from alert_service.incidents.alert import AlertStatus, Post
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.intake.payload import PayloadInvalid, check_post, instant_of, parse_post

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LABELS = {"alertname": "KubePodCrashLooping", "pod": "checkout-1"}


def an_alert(**changes: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "it crashes"},
        "startsAt": "2026-03-01T11:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus",
        "fingerprint": "0123456789abcdef",
    }
    return members | changes


def parsed(*alerts: dict[str, Any], **changes: Any) -> Post:
    return parse_post(msgspec.json.encode({"alerts": alerts} | changes), received_at=NOW)


def test_what_alertmanager_sends_is_read_whole() -> None:
    post = parsed(
        an_alert(),
        version="4",
        groupKey='{}:{alertname="KubePodCrashLooping"}',
        truncatedAlerts=2,
        receiver=r"team-a\.alerts",
        status="firing",
        externalURL="http://alertmanager",
        groupLabels={"alertname": "KubePodCrashLooping"},
        notification_reason="new alerts added",
        routeLabels={"what": "is new in 0.34"},
    )
    assert post.group_key == '{}:{alertname="KubePodCrashLooping"}'
    assert post.receiver == "team-a.alerts"
    assert post.truncated == 2
    (alert,) = post.alerts
    assert alert.fingerprint == "0123456789abcdef"
    assert alert.starts_at == datetime(2026, 3, 1, 11, 0, 0, 123456, tzinfo=UTC)
    assert alert.ends_at is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-03-01T13:00:00+01:00", NOW, id="with an offset"),
        pytest.param("2026-03-01T12:00:00Z", NOW, id="in UTC"),
        pytest.param("2026-03-01T12:00:00", NOW, id="without an offset is in UTC"),
        pytest.param("0001-01-01T00:00:00Z", None, id="year 1 means none"),
        pytest.param("0001-01-01T00:00:00+23:00", None, id="year 1 with an offset, which is year 0 in UTC"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
        pytest.param("yesterday", None, id="unreadable"),
        pytest.param("9999-12-31T23:59:59-23:00", None, id="year 10000 in UTC"),
    ],
)
def test_an_instant(text: str | None, instant: datetime | None) -> None:
    assert instant_of(text) == instant


@pytest.mark.parametrize(
    "fingerprint",
    ["f" * 17, "", None, "\0", "0123456789ABCDEF", "not hexadecimal."],
    ids=["too long", "empty", "null", "a NUL", "in capitals", "no digits"],
)
def test_a_fingerprint_that_is_none_is_computed_from_the_labels(fingerprint: str | None) -> None:
    (alert,) = parsed(an_alert(fingerprint=fingerprint)).alerts
    assert alert.fingerprint == fingerprint_of(LABELS)


@pytest.mark.parametrize(
    ("changes", "status", "ends_at"),
    [
        pytest.param({"endsAt": "2026-03-01T13:00:00Z"}, AlertStatus.FIRING, None, id="fires, and would end later"),
        pytest.param({"status": "resolved", "endsAt": "2026-03-01T12:00:00Z"}, AlertStatus.RESOLVED, NOW, id="over"),
        pytest.param({"status": "resolved"}, AlertStatus.RESOLVED, NOW, id="over at year 1 is over now"),
        pytest.param({"status": None}, AlertStatus.FIRING, None, id="without a status it fires"),
        pytest.param({"status": "suppressed"}, AlertStatus.FIRING, None, id="with an unknown status it fires"),
    ],
)
def test_a_status(changes: dict[str, Any], status: AlertStatus, ends_at: datetime | None) -> None:
    (alert,) = parsed(an_alert(**changes)).alerts
    assert (alert.status, alert.ends_at) == (status, ends_at)


def test_next_to_nothing_is_needed() -> None:
    (alert,) = parsed({"labels": LABELS}).alerts
    assert alert.starts_at == NOW
    assert parsed({}, groupLabels={"b": "2", "a": "1"}).group_key == '{}:{a="1", b="2"}'


def test_members_that_are_null_are_empty() -> None:
    empty = dict.fromkeys(("groupKey", "receiver", "groupLabels", "commonLabels", "truncatedAlerts", "externalURL"))
    post = parsed(an_alert(labels=None, annotations=None), **empty)
    assert post.alerts[0].labels == {}
    assert post.truncated == 0


def test_a_nul_is_left_out_everywhere() -> None:
    odd = an_alert(labels={"a\0": "\0b"}, annotations={"c": "\0"}, generatorURL="\0")
    post = parsed(odd, groupKey="g\0", receiver="\0", externalURL="\0", notification_reason="\0")
    assert b"\\u0000" not in msgspec.json.encode(post)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="without alerts"),
        pytest.param(b'{"alerts": {}}', id="alerts that are no list"),
        pytest.param(b'{"alerts": [3]}', id="an alert that is a number"),
        pytest.param(b'{"alerts": [{"labels": []}]}', id="labels that are a list"),
        pytest.param(b'{"alerts": [], "groupKey": "\xff"}', id="bytes that are no text"),
        pytest.param(b'{"alerts": ' + b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"alerts": [{"labels": {"a": "\\ud800"}}]}', id="half a surrogate pair"),
    ],
)
def test_what_is_no_payload_says_so(body: bytes) -> None:
    with pytest.raises(PayloadInvalid, match="no payload"):
        check_post(body)
