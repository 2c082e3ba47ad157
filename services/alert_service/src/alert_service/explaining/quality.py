"""How well a rule serves the people whom it calls: what became of the incidents that it opened. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

# A rule is judged once it has called people so often; less may be chance.
_ENOUGH = 5
_MOSTLY = 0.5
# What is over so soon was over before anybody could have done anything: a longer `for` would not have told of it.
QUICKLY_SECONDS = 300


class Advice(StrEnum):
    """What to do about a rule."""

    FINE = "fine"
    TOO_FEW = "too_few"  # to be judged
    VOTED_NOISY = "voted_noisy"  # those who answer say that it should not have been told
    RAISE_FOR = "raise_for"  # most of it is over within minutes
    LEAVE_TO_HEALING = "leave_to_healing"  # healing settles most of it: people need not be told
    NOBODY_ACTS = "nobody_acts"  # people are told, and most of it ends without anybody doing anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the incidents of one rule. An incident counts for each rule that has an alert in it."""

    rule: str
    incidents: int
    told: int  # people were told of it
    acknowledged: int
    healed: int
    self_resolved: int  # over without a person, and without healing
    quickly: int  # of these, within five minutes
    in_vain: int  # people were told, and it was over without anybody acting
    escalated: int
    open: int
    ack_seconds: float | None  # median, from the opening to the first acknowledgement
    noisy: int  # votes
    useful: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleQuality:
    """One rule, judged. Shares are of its incidents, from 0 to 1."""

    rule: Annotated[str, Field(description="Its `alertname`")]
    incidents: int
    told: Annotated[int, Field(description="Incidents of which people were told by a card or a page")]
    open: int
    escalated: int
    ack_share: float
    self_resolve_share: Annotated[float, Field(description="Over without a person, and without healing")]
    quick_share: Annotated[float, Field(description="Over by itself within five minutes")]
    healed_share: float
    median_ack_seconds: Annotated[float | None, Field(description="To the first acknowledgement; null: there was none")]
    noisy: Annotated[int, Field(description="Votes that it should not have been told")]
    useful: Annotated[int, Field(description="Votes that it should")]
    in_vain: Annotated[
        int, Field(description="Incidents that people were told of and nobody acted upon: lists begin with the most")
    ]
    advice: Advice
    text: Annotated[str, Field(description="The advice in a sentence")]


def judged(tally: Tally) -> RuleQuality:
    """With what to do about it."""
    advice = _advice(tally)
    return RuleQuality(
        rule=tally.rule,
        incidents=tally.incidents,
        told=tally.told,
        open=tally.open,
        escalated=tally.escalated,
        ack_share=_share(tally.acknowledged, tally.incidents),
        self_resolve_share=_share(tally.self_resolved, tally.incidents),
        quick_share=_share(tally.quickly, tally.incidents),
        healed_share=_share(tally.healed, tally.incidents),
        median_ack_seconds=tally.ack_seconds,
        noisy=tally.noisy,
        useful=tally.useful,
        in_vain=tally.in_vain,
        advice=advice,
        text=_TEXTS[advice],
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _advice(tally: Tally) -> Advice:
    """The most telling first: what people say, what the clock says, what healing does."""
    if tally.noisy > tally.useful:
        return Advice.VOTED_NOISY
    if tally.incidents < _ENOUGH:
        return Advice.TOO_FEW
    if _share(tally.quickly, tally.incidents) > _MOSTLY:
        return Advice.RAISE_FOR
    if _share(tally.healed, tally.incidents) > _MOSTLY:
        return Advice.LEAVE_TO_HEALING
    if _share(tally.in_vain, tally.told) > _MOSTLY:
        return Advice.NOBODY_ACTS
    return Advice.FINE


_TEXTS = {
    Advice.FINE: "Most of it is acted upon.",
    Advice.TOO_FEW: f"It opened fewer than {_ENOUGH} incidents: too few to judge.",
    Advice.VOTED_NOISY: "More votes say noisy than useful: raise its threshold, lower its severity, or remove it.",
    Advice.RAISE_FOR: "Most of it is over by itself within five minutes: raise its `for`.",
    Advice.LEAVE_TO_HEALING: "Healing settles most of it: lower its severity, so that people hear of it in a digest.",
    Advice.NOBODY_ACTS: "Most of it ends without anybody acting upon it: lower its severity, or remove it.",
}
