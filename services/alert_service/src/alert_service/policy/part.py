"""What the parts of a policy are made of."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from alert_service.incidents.alert import AlertSeverity
from alert_service.routing.matchers import Matcher, parse_matcher
from common.policy.shape import Strict, word_of


class Part(Strict):
    """A value: once read it does not change."""

    model_config = ConfigDict(frozen=True)


def _matcher(text: str) -> str:
    parse_matcher(text)
    return text


MatcherText = Annotated[str, AfterValidator(_matcher)]
ASeverity = Annotated[AlertSeverity, word_of(AlertSeverity)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


def matchers_of(texts: list[str]) -> tuple[Matcher, ...]:
    """Of texts that were checked when they were read."""
    return tuple(parse_matcher(text) for text in texts)
