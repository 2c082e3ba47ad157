"""Does what a person wants, wherever it has to take effect: in Alertmanager or auto_healing first, then here.

Whatever another system refuses, or does not answer, changes nothing here, and the person is told so.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from alert_service.clients.asking import Refused, Unavailable
from alert_service.clients.healing import Healing
from alert_service.incidents.acting import look_again
from alert_service.incidents.acts import Act, ActKind, Answer
from alert_service.incidents.alert import Source
from alert_service.incidents.desk import Desk, NoSuchIncident
from alert_service.incidents.incident import Happening, HappeningKind
from alert_service.silences.scope import SilenceRefused
from alert_service.silences.silencing import Silencing

# What takes effect in another system first, which may take its time.
ELSEWHERE = frozenset({ActKind.SILENCE, ActKind.APPROVE, ActKind.DENY})
Explain = Callable[[UUID], Awaitable[str]]
_NO_HEALING = "auto_healing cannot be told: ALERT_SERVICE_HEALING__URL is not set"
_NO_ALERTMANAGER = "nothing can be silenced: ALERT_SERVICE_ALERTMANAGER__URL is not set"
_NO_RUN = "the card does not say which run of healing it is about: press the button of the newest card"


class Performing:
    """Whoever has a button, a link or the API acts through it. Without `silencing` or `healing` it says what to set."""

    def __init__(self, desk: Desk, *, silencing: Silencing | None, healing: Healing | None, explain: Explain) -> None:
        self._desk = desk
        self._silencing = silencing
        self._healing = healing
        self._explain = explain

    async def act(self, wanted: Act) -> Answer:
        """Raises DatabaseError."""
        try:
            return await self._act(wanted)
        except NoSuchIncident as error:
            return Answer(changed=False, text=str(error))

    async def explain(self, incident_id: UUID) -> str:
        """Why people were told of it or not, and what is next. Raises DatabaseError."""
        return await self._explain(incident_id)

    async def _act(self, wanted: Act) -> Answer:
        if wanted.kind not in wanted.by.rights:
            return await self._desk.act(wanted)  # which refuses it, and writes that down
        if wanted.kind is ActKind.SILENCE:
            return await self._silence(wanted)
        if wanted.kind in (ActKind.APPROVE, ActKind.DENY):
            return await self._decide(wanted)
        if wanted.kind is ActKind.EXPLAIN:
            return Answer(changed=False, text=await self.explain(wanted.incident_id))
        return await self._desk.act(wanted)

    async def _silence(self, wanted: Act) -> Answer:
        """What Alertmanager does not tell it cannot silence: that is silenced here alone."""
        incident = await self._desk.find(wanted.incident_id)
        if (why := look_again(incident, wanted.revision)) is not None:
            return Answer(changed=False, text=why)
        if incident.source is not Source.ALERTMANAGER:
            return await self._desk.act(replace(wanted, text=""))
        if self._silencing is None:
            return Answer(changed=False, text=_NO_ALERTMANAGER)
        try:
            silence = await self._silencing.for_incident(incident, wanted)
        except SilenceRefused as error:
            return Answer(changed=False, text=str(error))
        except (Unavailable, Refused) as error:
            return Answer(changed=False, text=f"not silenced: {error}")
        return await self._desk.act(replace(wanted, text=silence.id))

    async def _decide(self, wanted: Act) -> Answer:
        if self._healing is None:
            return Answer(changed=False, text=_NO_HEALING)
        if wanted.run_id is None:
            return Answer(changed=False, text=_NO_RUN)
        try:
            if wanted.kind is ActKind.APPROVE:
                await self._healing.approve(wanted.run_id, wanted.by)
            else:
                reason = wanted.text or f"denied by {wanted.by.shown}, via {wanted.via}"
                await self._healing.deny(wanted.run_id, wanted.by, reason)
        except Refused as error:
            await self._note_refusal(wanted, str(error))
            return Answer(changed=False, text=f"auto_healing says: {error}")
        except Unavailable as error:
            # Its answer may be what is lost: the same decision once more is the same.
            text = f"auto_healing has not confirmed it: {error}; try again in a moment, it counts once"
            return Answer(changed=False, text=text)
        return await self._desk.act(wanted)

    async def _note_refusal(self, wanted: Act, why: str) -> None:
        text = f"auto_healing refused to let {wanted.by.shown} {wanted.kind} it: {why}"
        details = {"via": wanted.via, "run": str(wanted.run_id)}
        what = Happening(kind=HappeningKind.CLICK_REFUSED, at=wanted.at, by=wanted.by.name, text=text, details=details)
        await self._desk.record(wanted.incident_id, what)
