"""What becomes of a message on a channel, by what the channel can do and what it has seen."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from tests.support.clock import NOON

from alert_service.channels.channel import Abilities, Buttons, MessageRef
from alert_service.delivery.sending import Claim, Way, way_of
from alert_service.routing.wanted import DeliveryKind, NotifyReason

SLACK = Abilities(updates=True, threads=True, buttons=Buttons.NATIVE)
TEAMS = Abilities(updates=False, threads=False, buttons=Buttons.LINKS)
HERE = MessageRef(conversation="C1", id="1.1")
CARD = Claim(
    ids=(UUID(int=1),),
    lent_at=NOON,
    channel="sre",
    kind=DeliveryKind.CARD,
    reason=NotifyReason.CHANGED,
    incident_id=UUID(int=2),
    storm_id=None,
    subject=str(UUID(int=2)),
    texts=(),
    mentions=(),
    loud=False,
    quiet=False,
    attempts=1,
    received_at=None,
    queued_at=NOON,
    newest=1,
    shown=False,
    at=None,
)
STORM = replace(CARD, kind=DeliveryKind.STORM, incident_id=None, storm_id=UUID(int=3), subject="storm:3")
REPLY = replace(CARD, kind=DeliveryKind.REPLY, reason=NotifyReason.ACTED, texts=("Ana has it",))
BESIDE = replace(REPLY, reason=NotifyReason.HEALING, texts=("healing has begun",))
OF_STORM = replace(STORM, kind=DeliveryKind.REPLY)
SEEN: dict[str, Any] = {"shown": True, "at": HERE}
SENT: dict[str, Any] = {"shown": True, "at": None}  # by a vendor who does not say where it is


@pytest.mark.parametrize(
    ("claim", "abilities", "goes_on", "way"),
    [
        pytest.param(CARD, SLACK, True, Way.POST, id="the first card of an incident is posted"),
        pytest.param(replace(CARD, quiet=True), SLACK, True, Way.NONE, id="a quiet change posts no card"),
        pytest.param(replace(CARD, **SEEN), SLACK, True, Way.UPDATE, id="a card that is there is changed"),
        pytest.param(
            replace(CARD, quiet=True, **SEEN), SLACK, False, Way.UPDATE, id="a card shows that its incident is over"
        ),
        pytest.param(CARD, SLACK, False, Way.NONE, id="what is over before anybody saw it needs no card"),
        pytest.param(replace(CARD, **SENT), TEAMS, True, Way.POST, id="where nothing changes a loud card is a new one"),
        pytest.param(replace(CARD, quiet=True, **SENT), TEAMS, True, Way.NONE, id="and a quiet one is none"),
        pytest.param(STORM, SLACK, True, Way.POST, id="a storm's first card is posted"),
        pytest.param(replace(STORM, **SEEN), SLACK, True, Way.UPDATE, id="a storm's card is changed while it rages"),
        pytest.param(replace(STORM, **SEEN), SLACK, False, Way.UPDATE, id="and when it is over"),
        pytest.param(STORM, SLACK, False, Way.NONE, id="a storm that is over before anybody saw it is not told"),
        pytest.param(replace(STORM, **SENT), TEAMS, True, Way.NONE, id="where nothing changes a storm goes on unsaid"),
        pytest.param(replace(STORM, **SENT), TEAMS, False, Way.POST, id="and its end is told"),
        pytest.param(replace(REPLY, **SEEN), SLACK, True, Way.REPLY, id="a reply goes below its card"),
        pytest.param(replace(REPLY, **SEEN), SLACK, False, Way.REPLY, id="also when it says that all is over"),
        pytest.param(REPLY, SLACK, True, Way.POST, id="a reply without a card is a message of its own"),
        pytest.param(replace(REPLY, quiet=True), SLACK, True, Way.NONE, id="unless it is quiet"),
        pytest.param(REPLY, SLACK, False, Way.NONE, id="or all is over and nobody was told"),
        pytest.param(replace(REPLY, **SENT), TEAMS, False, Way.POST, id="without threads the end is told by a message"),
        pytest.param(replace(BESIDE, **SEEN), SLACK, True, Way.REPLY, id="what nobody must notice goes below a card"),
        pytest.param(replace(BESIDE, **SENT), TEAMS, True, Way.NONE, id="and is not worth a message of its own"),
        pytest.param(replace(BESIDE, loud=True, **SENT), TEAMS, True, Way.POST, id="unless it is loud"),
        pytest.param(replace(OF_STORM, **SENT), TEAMS, True, Way.NONE, id="without threads a storm has no replies"),
        pytest.param(replace(CARD, kind=DeliveryKind.PLAIN), TEAMS, True, Way.POST, id="a plain message is posted"),
        pytest.param(replace(CARD, kind=DeliveryKind.DIGEST), SLACK, True, Way.POST, id="and so is a digest"),
    ],
)
def test_each_message_goes_its_way(claim: Claim, abilities: Abilities, goes_on: bool, way: Way) -> None:
    assert way_of(claim, abilities, goes_on=goes_on) is way
