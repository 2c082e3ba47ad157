"""How APIs check a policy, and show what is wrong with it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from common.policy.mistakes import Mistake, PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMistake:
    """Something in a policy that cannot stand, and what to write instead."""

    path: Annotated[str, Field(description="Where, such as rules[0].ladder[1].action; empty for the file itself")]
    message: Annotated[str, Field(description="What is wrong, and what to do about it")]


def mistakes_shown(mistakes: Iterable[Mistake]) -> tuple[PolicyMistake, ...]:
    return tuple(PolicyMistake(path=each.path, message=each.message) for each in mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChecked:
    """Whether it could be put into force, and every mistake if not."""

    valid: bool
    mistakes: Sequence[PolicyMistake]


async def checked(text: str, parse: Callable[[str], object]) -> PolicyChecked:
    """What `parse` finds, which raises PolicyError; beside the event loop, since a policy may be long."""
    try:
        await asyncio.to_thread(parse, text)
    except PolicyError as error:
        return PolicyChecked(valid=False, mistakes=mistakes_shown(error.mistakes))
    return PolicyChecked(valid=True, mistakes=())
