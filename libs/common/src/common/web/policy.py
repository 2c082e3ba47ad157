"""How APIs show the policy that holds, check another one, and say what is wrong with either."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from common.policy.file import LARGEST_BYTES, PolicyFile
from common.policy.mistakes import Mistake, PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMistake:
    """Something in a policy that cannot stand, and what to write instead."""

    path: Annotated[str, Field(description="Where, such as rules[0].ladder[1].action; empty for the file itself")]
    message: Annotated[str, Field(description="What is wrong, and what to do about it")]


def mistakes_shown(mistakes: Iterable[Mistake]) -> tuple[PolicyMistake, ...]:
    return tuple(PolicyMistake(path=each.path, message=each.message) for each in mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyShown:
    """The policy that holds, whole. While its file has mistakes, it is the last good one."""

    file: Annotated[str | None, Field(description="null: no file is set, and the defaults hold")]
    valid: bool
    mistakes: Sequence[PolicyMistake]
    policy: Annotated[Mapping[str, Any], Field(description="As a policy file would say it, defaults included")]

    @classmethod
    def of(cls, file: PolicyFile[Any] | None, policy: Mapping[str, Any]) -> "PolicyShown":
        mistakes = mistakes_shown(file.mistakes) if file else ()
        return cls(file=str(file.path) if file else None, valid=not mistakes, mistakes=mistakes, policy=policy)


class PolicyText(BaseModel):
    """A policy to be checked."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=LARGEST_BYTES, description="YAML, as in the file", examples=["version: 1\n"])]


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
