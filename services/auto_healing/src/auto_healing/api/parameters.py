"""Query parameters that several lists share, the ids in paths, and what is said of wrong ones."""

from collections.abc import Callable, Collection
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, Field

from auto_healing.api.vocabulary import ACTIONS, EVENTS, KINDS, REFUSING
from auto_healing.drafting import WrongParameters
from common.policy.mistakes import nearest
from common.web.problems import Mistake, Problem, wrong_request

Word = Annotated[str, Field(max_length=253)]


def one_of(what: str, known: Collection[str]) -> Callable[[str], str]:
    """A list that is empty because of a slip of the pen would say that nothing happened."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"there is no {what} {value}{nearest(value, known)}")
        return value

    return check


def _kind(value: str) -> str:
    """Of other kinds may be whatever owns pods."""
    written = {kind.lower(): kind for kind in KINDS}
    meant = written.get(value.lower()) or written.get(value.lower().removesuffix("s"))
    if meant not in (None, value):
        raise ValueError(f"there is no kind {value}; did you mean {meant}?")
    return value


Kind = Annotated[Word, AfterValidator(_kind)]
Action = Annotated[Word, AfterValidator(one_of("action", ACTIONS))]
Event = Annotated[Word, AfterValidator(one_of("event", EVENTS))]
GuardCode = Annotated[Word, AfterValidator(one_of("guard", REFUSING))]

OfKind = Annotated[Kind | None, Query(description="Only about objects of this kind", examples=["Deployment"])]
InNamespace = Annotated[Word | None, Query(description="Only about objects in this namespace", examples=["shop"])]
Named = Annotated[Word | None, Query(description="Only about objects of this name", examples=["checkout"])]
OfAction = Annotated[Action | None, Query(description="Only with this action", examples=["restart-rollout"])]
OfRun = Annotated[UUID | None, Query(description="Only of the run with this id")]
RunId = Annotated[UUID, Path(description="The run's id, as lists of runs tell it")]


def wrong_action(error: ValueError) -> Problem:
    """What a request says of an action, or of its parameters, cannot be."""
    path = "/parameters" if isinstance(error, WrongParameters) else "/action"
    return wrong_request(Mistake(location="body", path=path, message=str(error)))
