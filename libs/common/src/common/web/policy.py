"""How APIs show what is wrong with a policy."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from common.policy.mistakes import Mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMistake:
    """Something in a policy that cannot stand, and what to write instead."""

    path: Annotated[str, Field(description="Where, such as rules[0].ladder[1].action; empty for the file itself")]
    message: Annotated[str, Field(description="What is wrong, and what to do about it")]


def mistakes_shown(mistakes: Iterable[Mistake]) -> tuple[PolicyMistake, ...]:
    return tuple(PolicyMistake(path=each.path, message=each.message) for each in mistakes)
