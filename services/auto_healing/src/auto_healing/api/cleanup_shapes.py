"""What the API says of cleanup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.cleanup.cleaner import Scan, next_look
from auto_healing.plan import Decline, Mode
from auto_healing.storage.tombstones import LastLook, Tombstone
from common.contracts import ObjectKey, ObjectRef

MOST_SHOWN = 500  # objects of each sort in the answer to a look
NOT_DUE = "has not been found often enough, or its owner was not told long enough ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleShown:
    """One rule, and its last look."""

    rule: Annotated[str, Field(examples=["clean-evicted-pods"])]
    title: str
    kind: str
    mode: Mode
    settings: Annotated[Mapping[str, Any], Field(description="As the policy says, with what it leaves out filled in")]
    next_look_at: Annotated[datetime | None, Field(description="By its schedule; null when it is off")]
    looked_at: datetime | None
    last: Annotated[
        Mapping[str, Any] | None,
        Field(description="What the last look came to: numbers, the run it led to, refusals, or why it failed"),
    ]
    asked_by: Annotated[str, Field(description="Who has asked for a look that is yet to come")]

    @classmethod
    def of(cls, code: str, settings: RuleSettings, last: LastLook | None, now: datetime) -> "RuleShown":
        rule = CLEANUP_BY_CODE[code]
        return cls(
            rule=code,
            title=rule.title,
            kind=rule.kind,
            mode=settings.mode,
            settings=settings.model_dump(mode="json", exclude={"mode"}),
            next_look_at=next_look(settings, last, now, now),
            looked_at=last.looked_at if last else None,
            last=last.result if last else None,
            asked_by=last.asked_by if last else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesShown:
    """Every rule, in the order of the catalogue."""

    items: Sequence[RuleShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateShown:
    """An object that was found unused."""

    rule: str
    object: ObjectRef
    reason: Annotated[str, Field(description="The end of a sentence about the object")]
    scans: Annotated[int, Field(description="Looks in a row that found it unused")]
    scans_needed: int
    since: Annotated[datetime, Field(description="When it was found first, or its owner was told, if that was later")]
    told: Annotated[bool, Field(description="Whether its owner was told; without that nothing is deleted")]
    not_before: Annotated[datetime, Field(description="End of its time of grace: it is deleted after that, if at all")]
    due: Annotated[bool, Field(description="Found often and long enough")]

    @classmethod
    def of(cls, stone: Tombstone, settings: RuleSettings) -> "CandidateShown":
        return cls(
            rule=stone.rule,
            object=stone.ref,
            reason=stone.reason,
            scans=stone.scans,
            scans_needed=settings.scans,
            since=stone.first_seen_at,
            told=stone.told,
            not_before=stone.first_seen_at + settings.grace,
            due=stone.due_at is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftShown:
    """An object that is left, and why."""

    kind: str
    namespace: str
    name: str
    reason: str

    @classmethod
    def of(cls, key: ObjectKey, reason: str) -> "LeftShown":
        return cls(kind=key.kind, namespace=key.namespace, name=key.name, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineShown:
    """A guard that stops it, or the cap."""

    guard: str
    message: str
    numbers: Mapping[str, Any]

    @classmethod
    def of(cls, decline: Decline) -> "DeclineShown":
        return cls(guard=decline.guard, message=decline.message, numbers=decline.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookShown:
    """What is unused now. Nothing was written to the cluster; at most 500 objects of each sort are shown."""

    rule: str
    objects: Annotated[int, Field(description="Objects of the kind that the rule looks at")]
    unused: Annotated[int, Field(description="Of these, found unused")]
    goes: Annotated[Sequence[ObjectRef], Field(description="What a run would delete now")]
    waits: Annotated[Sequence[LeftShown], Field(description="Unused, and not due yet")]
    unproven: Annotated[Sequence[LeftShown], Field(description="Looks unused, and cannot be proven to be")]
    declined: Annotated[Sequence[DeclineShown], Field(description="What would stop the run")]
    asked: Annotated[bool, Field(description="Whether the replica that leads was asked to look, mark and tell")] = False
    run: Annotated[UUID | None, Field(description="The run that was proposed")] = None

    @classmethod
    def of(cls, code: str, scan: Scan) -> "LookShown":
        due = {stone.ref for stone in scan.due if stone.told}
        declined = [decline for plan in scan.plans for decline in plan.declined]
        goes = [] if declined else [each.ref for each in scan.found.candidates if each.ref in due]
        waits = [each for each in scan.found.candidates if each.ref not in due]
        return cls(
            rule=code,
            objects=scan.found.total,
            unused=len(scan.found.candidates),
            goes=goes[:MOST_SHOWN],
            waits=[LeftShown.of(each.ref.key, f"{each.reason}, but {NOT_DUE}") for each in waits[:MOST_SHOWN]],
            unproven=[LeftShown.of(each.object, each.reason) for each in scan.found.unproven[:MOST_SHOWN]],
            declined=[DeclineShown.of(each) for each in declined],
        )


class ByHandRequest(BaseModel):
    """What is wanted. By default only shown."""

    model_config = ConfigDict(extra="forbid")

    dry_run: Annotated[bool, Field(strict=True, description="Only show what would happen")] = True
    reason: Annotated[
        str,
        Field(
            max_length=500,
            description="Why, in words for whoever reads the ledger",
            examples=["The node ran full last night"],
        ),
    ] = ""
