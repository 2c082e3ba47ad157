"""Cleanup over HTTP: the rules and when they look, what is marked, and looking or running by hand."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.api.cleanup_shapes import NOT_DUE, ByHandRequest, CandidateShown, LookShown, RuleShown, RulesShown
from auto_healing.api.services import AnyServices, StoredServices, SyncedServices
from auto_healing.cleanup.by_hand import ByHand
from auto_healing.storage.proposing import Answer
from auto_healing.storage.tombstones import Asked
from common.kube.errors import KubeError
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ, Operator
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1/cleanup", tags=["cleanup"])


def _by_hand(services: SyncedServices, stored: StoredServices) -> ByHand:
    return ByHand(tombstones=stored.tombstones, runs=stored.runs, cluster=services.cluster, world=services.world)


Hand = Annotated[ByHand, Depends(_by_hand)]
Rule = StrEnum("Rule", {code.replace("-", "_"): code for code in CLEANUP_BY_CODE})  # type: ignore[misc]
RuleCode = Annotated[Rule, Path(description="The rule's code, as the list of rules tells it")]
_CURSORS = Cursors("marked objects", tuple[str, str, str, str, str])
_ASKED: dict[int | str, dict[str, Any]] = {
    202: {"model": LookShown, "description": "It was asked for, and happens within seconds"}
}


@router.get("", dependencies=[MAY_READ])
async def list_rules(services: AnyServices, stored: StoredServices) -> RulesShown:
    """Every rule with its settings, its next look and what the last one came to."""
    looks, settings, now = await stored.tombstones.last_looks(), services.policy().cleanup, services.now()
    return RulesShown(items=[RuleShown.of(code, settings.rule(code), looks.get(code), now) for code in CLEANUP_BY_CODE])


@router.get("/candidates", dependencies=[MAY_READ])
async def list_candidates(
    services: AnyServices,
    stored: StoredServices,
    *,
    rule: Annotated[Rule | None, Query(description="Only of this rule")] = None,
    namespace: Annotated[str | None, Query(max_length=253, description="Only in this one")] = None,
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Page[CandidateShown]:
    """What was found unused, by rule and name: why, how often, and when it may be deleted."""
    settings, after = services.policy().cleanup, _CURSORS.decode(cursor)
    found = await stored.tombstones.page(rule=rule, namespace=namespace, after=after, limit=limit + 1)
    return _CURSORS.page(
        found,
        limit,
        at=lambda stone: stone.position,
        item=lambda stone: CandidateShown.of(stone, settings.rule(stone.rule)),
    )


@router.post("/{rule}/scan", responses=_ASKED)
async def look_now(hand: Hand, caller: Operator, rule: RuleCode, wanted: ByHandRequest, answer: Response) -> LookShown:
    """Look now. With `dry_run` false the replica that leads does so too within seconds, marks, and tells the owners."""
    shown = await _shown(hand, rule)
    if wanted.dry_run:
        return shown
    await hand.tombstones.ask(rule, Asked.SCAN, by=caller.name, at=hand.world().now)
    answer.status_code = 202
    return replace(shown, asked=True)


@router.post("/{rule}/run", responses=_ASKED | responses(409))
async def run_now(hand: Hand, caller: Operator, rule: RuleCode, wanted: ByHandRequest, answer: Response) -> LookShown:
    """Delete what is due. With `dry_run` false it begins at once; the cap, the guards and both phases hold as ever."""
    shown = await _shown(hand, rule)
    if wanted.dry_run:
        return shown
    try:
        answers = await hand.run(rule, by=caller.name, reason=wanted.reason)
    except KubeError as error:
        raise _unreadable(error) from None
    answer.status_code = 202
    return replace(shown, run=_run_of(rule, answers))


async def _shown(hand: ByHand, rule: str) -> LookShown:
    try:
        return LookShown.of(rule, await hand.preview(rule))
    except KubeError as error:
        raise _unreadable(error) from None


def _unreadable(error: KubeError) -> Problem:
    return Problem(503, f"the cluster cannot be read: {error}", headers={"Retry-After": "5"})


def _run_of(rule: str, answers: list[Answer]) -> UUID:
    """Of the first that may go. Raises Problem with the reason when none may."""
    for each in answers:
        if each.run is not None and not each.declined:
            return each.run.id
    if not answers:
        raise Problem(
            409, f"nothing is due: what is unused {NOT_DUE}; /api/v1/cleanup/candidates?rule={rule} tells more"
        )
    first = answers[0].declined[0]
    raise Problem(409, f"declined by {first.guard}: {first.message}", guard=first.guard, numbers=dict(first.numbers))
