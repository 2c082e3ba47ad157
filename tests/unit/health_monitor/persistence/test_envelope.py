"""Events are CloudEvents, and hold nothing that cannot be stored."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.health_database import an_event

from common.contracts import Change, HealthEvent, ObjectKey
from health_monitor.storage.envelope import enveloped, storable, subject_of


@pytest.mark.parametrize(
    ("key", "subject"),
    [
        (ObjectKey("Pod", "shop", "checkout-1"), "Pod/shop/checkout-1"),
        (ObjectKey("Node", "", "n1"), "Node/n1"),
        (ObjectKey("Cluster", "", ""), "Cluster"),
    ],
)
def test_a_subject_names_the_object(key: ObjectKey, subject: str) -> None:
    assert subject_of(key) == subject


@pytest.mark.parametrize("change", list(Change))
def test_the_type_says_what_happened(change: Change) -> None:
    event = enveloped(an_event(change=change), event_id=UUID(int=5), cursor=3, source="/clusters/c")
    assert event.type == f"io.k8s-health-checker.health.finding.{change}.v1"
    assert (event.id, event.cursor, event.time) == (str(UUID(int=5)), 3, event.data.detected_at)
    assert HealthEvent.model_validate_json(event.model_dump_json()) == event


def test_data_that_can_be_stored_is_left_alone() -> None:
    data = an_event(message="ünïcödé \U0001f525 \\u0000 stays")
    assert storable(data) is data


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_whatever_an_object_says_can_be_stored(message: str, evidence: str) -> None:
    text = storable(an_event(message=message, part=message, evidence={evidence: message, "n": 1})).model_dump_json()
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()
