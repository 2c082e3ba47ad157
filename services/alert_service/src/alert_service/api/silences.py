"""Silences in Alertmanager: what one would mute, making one, giving it another end, and ending it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alert_service.api.services import AnyServices, StoredServices
from alert_service.clicks.people import People
from alert_service.clients.alertmanager import GettableSilence
from alert_service.clients.asking import Refused, Unavailable
from alert_service.incidents.alert import AlertSeverity
from alert_service.policy.part import MatcherText
from alert_service.routing.matchers import Matcher, parse_matcher
from alert_service.silences.scope import Muted, Preview, Request, SilenceReason, SilenceRefused
from alert_service.silences.silencing import Silencing
from alert_service.storage.silences import Kept
from common.web.parts import MAY_READ, Operator
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1/silences", tags=["silences"])

_MOST_SHOWN = 100
_NOT_SET_UP = "no silences can be made: ALERT_SERVICE_ALERTMANAGER__URL is not set"
_STATUS = {SilenceReason.GONE: 404, SilenceReason.TOO_WIDE: 403}

Matchers = Annotated[
    list[MatcherText],
    Field(
        min_length=1,
        max_length=50,
        description="Alertmanager's matchers; all have to match",
        examples=[['alertname="KubePodCrashLooping"', 'namespace="shop"']],
    ),
]
SilenceId = Annotated[str, Path(description="The id in Alertmanager", pattern=r"^[A-Za-z0-9-]{1,64}$")]


class SilencePreviewRequest(BaseModel):
    """What would be muted."""

    model_config = ConfigDict(extra="forbid")

    matchers: Matchers


class SilenceRequest(SilencePreviewRequest):
    """A silence."""

    starts_at: Annotated[AwareDatetime | None, Field(description="null: now")] = None
    ends_at: Annotated[AwareDatetime, Field(description="When people are told again")]
    comment: Annotated[str, Field(max_length=1000, description="Why; a wide one needs it")] = ""


class SilenceExtension(BaseModel):
    """Another end."""

    model_config = ConfigDict(extra="forbid")

    ends_at: Annotated[AwareDatetime, Field(description="Later or earlier than now planned, but ahead")]


class MutedAlert(BaseModel):
    """One that it covers."""

    fingerprint: str
    alertname: str
    severity: AlertSeverity
    labels: dict[str, str]

    @classmethod
    def of(cls, muted: Muted) -> "MutedAlert":
        return cls(
            fingerprint=muted.fingerprint, alertname=muted.name, severity=muted.severity, labels=dict(muted.labels)
        )


class SilencePreview(BaseModel):
    """How wide it is."""

    now: Annotated[int, Field(description="Alerts that fire now and would be muted")]
    critical_now: Annotated[int, Field(description="Critical ones among them")]
    last_30_days: Annotated[int, Field(description="Different alerts of the last 30 days that would have been muted")]
    alertnames: Annotated[dict[str, int], Field(description="How many of each alertname, now or then, the most first")]
    alerts: Annotated[list[MutedAlert], Field(description="Those that fire now, at most 100, critical ones first")]
    takes_reason: Annotated[bool, Field(description="Wider than the policy's silences.widest: it takes a comment")]

    @classmethod
    def of(cls, preview: Preview, widest: int) -> "SilencePreview":
        worst_first = sorted(preview.now, key=lambda each: -each.severity.rank)
        return cls(
            now=len(preview.now),
            critical_now=len(preview.critical),
            last_30_days=len(preview.month),
            alertnames=dict(preview.names()),
            alerts=[MutedAlert.of(each) for each in worst_first[:_MOST_SHOWN]],
            takes_reason=preview.width > widest,
        )


class ListedSilence(BaseModel):
    """One silence, as it stands in Alertmanager, and what is known of it here."""

    id: str
    state: Annotated[str, Field(description="pending, active or expired")]
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    made_here: bool
    until_resolved: Annotated[bool, Field(description="It is put off until its incident resolves")] = False
    incident_id: Annotated[UUID | None, Field(description="Whose button made it")] = None

    @classmethod
    def of(cls, there: GettableSilence, known: Kept | None) -> "ListedSilence":
        return cls(
            id=there.id,
            state=there.status.state,
            matchers=there.matcher_texts,
            starts_at=there.starts_at,
            ends_at=there.ends_at,
            created_by=there.created_by,
            comment=there.comment,
            made_here=known is not None,
            until_resolved=known is not None and known.until_resolved,
            incident_id=None if known is None else known.incident_id,
        )


class SilenceList(BaseModel):
    """Those that end first come first."""

    items: list[ListedSilence]


class SilenceMade(BaseModel):
    """Its id from now on: another end may give it a new one."""

    id: str
    ends_at: datetime


class Silences:
    """Turns what Alertmanager and the policy refuse into problems, for the routes below."""

    def __init__(self, services: AnyServices, stored: StoredServices) -> None:
        if stored.silencing is None:
            raise Problem(409, _NOT_SET_UP)
        self.silencing: Silencing = stored.silencing
        self.services = services

    async def __aenter__(self) -> Silencing:
        return self.silencing

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SilenceRefused):
            raise Problem(_STATUS.get(error.reason, 409), str(error), reason=error.reason) from None
        if isinstance(error, Unavailable):
            raise Problem(503, str(error), headers={"Retry-After": "5"}) from None
        if isinstance(error, Refused):
            raise Problem(409, f"Alertmanager says: {error}") from None


InAlertmanager = Annotated[Silences, Depends()]


@router.get("", dependencies=[MAY_READ], responses=responses(409))
async def list_silences(
    there: InAlertmanager,
    *,
    expired: Annotated[bool, Query(description="Those that have ended, too, while Alertmanager has them")] = False,
) -> SilenceList:
    """All that Alertmanager has, whoever made them."""
    async with there as silencing:
        found = await silencing.alertmanager.silences()
    known = {each.id: each for each in await silencing.rows.standing()}
    shown = sorted((each for each in found if expired or not each.over), key=lambda each: each.ends_at)
    return SilenceList(items=[ListedSilence.of(each, known.get(each.id)) for each in shown])


@router.post("/preview", dependencies=[MAY_READ], responses=responses(409))
async def preview_silence(there: InAlertmanager, wanted: SilencePreviewRequest) -> SilencePreview:
    """What a silence would mute now, and what it would have muted in the last 30 days. Makes none."""
    async with there as silencing:
        preview = await silencing.preview(_matchers(wanted.matchers))
    return SilencePreview.of(preview, there.services.policy().silences.widest)


@router.post("", status_code=201, responses=responses(409))
async def create_silence(there: InAlertmanager, caller: Operator, wanted: SilenceRequest) -> SilenceMade:
    """Make one. A wide one takes a comment, and the policy says how long one may last."""
    services = there.services
    request = Request(
        matchers=_matchers(wanted.matchers),
        starts_at=wanted.starts_at or services.now(),
        ends_at=wanted.ends_at,
        by=People.of(services.policy()).caller(caller),
        comment=wanted.comment,
    )
    async with there as silencing:
        return _made(await silencing.create(request))


@router.post("/{silence_id}/extend", responses=responses(404, 409))
async def extend_silence(
    there: InAlertmanager, caller: Operator, silence_id: SilenceId, wanted: SilenceExtension
) -> SilenceMade:
    """Give it another end. Whoever does that is reminded from then on, and its id may change."""
    by = People.of(there.services.policy()).caller(caller)
    async with there as silencing:
        return _made(await silencing.extend(silence_id, wanted.ends_at, by))


@router.post("/{silence_id}/expire", status_code=204, responses=responses(409))
async def expire_silence(there: InAlertmanager, caller: Operator, silence_id: SilenceId) -> None:
    """End it now. One that has ended already is as wanted."""
    async with there as silencing:
        await silencing.expire(silence_id)


def _matchers(texts: list[str]) -> tuple[Matcher, ...]:
    return tuple(parse_matcher(each) for each in texts)


def _made(made: Kept) -> SilenceMade:
    return SilenceMade(id=made.id, ends_at=made.ends_at)
