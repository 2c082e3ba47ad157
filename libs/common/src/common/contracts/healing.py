"""What auto_healing tells of its runs, so that people hear of them beside the incident they concern."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.contracts.instant import Instant
from common.contracts.objects import ObjectRef


class NoticeKind(StrEnum):
    """What happened to a run."""

    APPROVAL_WANTED = "approval-wanted"
    STARTED = "started"
    HEALED = "healed"
    FAILED = "failed"
    UNDONE = "undone"
    DECLINED = "declined"  # by a guard, a person, or because nobody approved it in time
    HUMAN_NEEDED = "human-needed"  # the ladder has no rung left

    @property
    def ended(self) -> bool:
        """Whether healing is no longer at work when this was told."""
        return self not in (NoticeKind.APPROVAL_WANTED, NoticeKind.STARTED)

    @property
    def bad(self) -> bool:
        """Whether what was tried did not help, or nothing is left to try."""
        return self in (NoticeKind.FAILED, NoticeKind.UNDONE, NoticeKind.HUMAN_NEEDED)


class Notice(BaseModel):
    """One thing that happened to a run, or to a fault that none was made for. At least once: drop repeats by id."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="The same on every delivery of this notice", min_length=1, max_length=200)
    kind: NoticeKind
    at: Instant = Field(description="When it happened (UTC)")
    cluster: str = Field("", description="Name of the cluster", max_length=300)
    run_id: UUID | None = Field(None, description="The run; null for a refusal that made none")
    subject: ObjectRef = Field(description="The object that the fault is laid upon")
    objects: Annotated[
        tuple[ObjectRef, ...], Field(description="Those that the findings are about, at most 50", max_length=50)
    ] = ()
    code: str = Field("", description="Code of the finding that led to it", max_length=100)
    action: str = Field("", description="Code of the action of the first step", max_length=100)
    rule: str = Field("", description="Rule of the policy", max_length=100)
    message: str = Field(description="One sentence for people", max_length=2000)
    guard: str = Field("", description="Guard that declined", max_length=100)
    actor: str = Field("", description="Who did or asked it", max_length=300)
    deadline_at: Instant | None = Field(None, description="While it is at work: when it is judged at the latest (UTC)")
    approve_until: Instant | None = Field(None, description="While it waits for a person: when it expires (UTC)")
    look_again_at: Instant | None = Field(None, description="When a refusal is looked at again (UTC)")
    attempt: int = Field(0, ge=0, description="Rung of the ladder, from 0")
