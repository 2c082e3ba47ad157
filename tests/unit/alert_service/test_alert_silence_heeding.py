"""What an incident makes of the silences that stand in Alertmanager."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.alert_incidents import NOW, an_alert, opened

from alert_service.incidents.incident import HappeningKind, Incident, Silenced
from alert_service.silences.heeding import Muting, Standing, heed

HOUR = timedelta(hours=1)
ONE, OTHER = an_alert({"alertname": "A", "pod": "web-0"}), an_alert({"alertname": "A", "pod": "web-1"})
LONG, SHORT = (
    Standing(id="long", by="Ana", ends_at=NOW + 4 * HOUR),
    Standing(id="short", by="Ben", ends_at=NOW + HOUR),
)


def muting(by: Mapping[str, Sequence[str]]) -> Muting:
    return Muting(standing={each.id: each for each in (LONG, SHORT)}, by=by)


def silenced(*ids: str, until_resolved: bool = False) -> Incident:
    """Both alerts of it, by silences of these ids."""
    covered = Silenced(
        by="Ana",
        at=NOW,
        until=NOW + HOUR,
        until_resolved=until_resolved,
        fingerprints=frozenset({ONE.fingerprint, OTHER.fingerprint}),
        severity=opened(ONE, OTHER).severity,
    )
    return replace(opened(ONE, OTHER), silences=ids, silenced=covered)


BOTH_SHORT = {ONE.fingerprint: ["short"], OTHER.fingerprint: ["short"]}
BOTH_LONG = {ONE.fingerprint: ["short", "long"], OTHER.fingerprint: ["long"]}
HALF = {ONE.fingerprint: ["long"]}


@pytest.mark.parametrize(
    ("incident", "by", "own", "kinds", "silences", "hours"),
    [
        pytest.param(opened(ONE, OTHER), {}, None, [], (), None, id="what nothing mutes is told"),
        pytest.param(opened(ONE, OTHER), HALF, None, [], (), None, id="and so is what is muted in part"),
        pytest.param(
            opened(ONE, OTHER), BOTH_SHORT, None, ["silenced"], ("short",), 1, id="what is muted wholly is silenced"
        ),
        pytest.param(
            opened(ONE, OTHER), BOTH_LONG, None, ["silenced"], ("long",), 4, id="for as long as the longest silence"
        ),
        pytest.param(silenced("short"), BOTH_SHORT, None, [], ("short",), 1, id="what is known changes nothing"),
        pytest.param(silenced("long"), BOTH_LONG, None, [], ("long",), 4, id="another end is followed"),
        pytest.param(silenced("old"), BOTH_LONG, "long", [], ("long",), 4, id="and so is another id"),
        pytest.param(
            silenced("long", until_resolved=True), BOTH_LONG, "long", [], ("long",), 1, id="but not until it resolves"
        ),
        pytest.param(silenced("long"), HALF, "long", [], ("long",), 1, id="what joined is told by other rules"),
        pytest.param(silenced("old"), {}, None, ["silence_ended"], (), None, id="without a silence people are told"),
        pytest.param(silenced("old"), HALF, None, ["silence_ended"], (), None, id="also when one mutes a part still"),
    ],
)
def test_an_incident_is_silenced_while_all_that_fires_of_it_is_muted(
    incident: Incident,
    by: Mapping[str, Sequence[str]],
    own: str | None,
    kinds: Sequence[str],
    silences: tuple[str, ...],
    hours: int | None,
) -> None:
    done = heed(muting(by), own, NOW, incident)
    after = done.incident
    until = None if after.silenced is None else (after.silenced.until - NOW) / HOUR
    assert ([each.kind for each in done.happenings], after.silences, until) == (
        [HappeningKind(kind) for kind in kinds],
        silences,
        hours,
    )
    assert heed(muting(by), own, NOW, after).incident is after
