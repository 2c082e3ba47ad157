"""What a rehearsal tried on each channel, and what arrived when."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Tried(StrEnum):
    """What a step was about."""

    INTAKE = "intake"  # a post was stored and took effect
    POST = "post"
    UPDATE = "update"
    REPLY = "reply"
    LINK = "link"  # a signed link was opened, and did nothing
    WAY_BACK = "way-back"  # the address that presses come back to
    PRESS = "press"  # a person pressed a button
    ESCALATION = "escalation"


class Outcome(StrEnum):
    """How it went."""

    POSTED = "posted"
    ACCEPTED = "accepted"  # the vendor does not say whether it was posted
    DONE = "done"
    FAILED = "failed"
    LEFT_OUT = "left-out"  # the channel cannot do it, or what it takes is not configured


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried."""

    channel: str
    tried: Tried
    what: str  # the scene, in plain words
    outcome: Outcome
    at: datetime  # when it was begun
    seconds: float = 0.0  # from then until the vendor had answered
    message_id: str = ""  # the vendor's
    detail: str = ""  # why it failed or was left out; else what is worth knowing


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All steps, in the order in which they began."""

    started_at: datetime
    ended_at: datetime
    steps: tuple[Step, ...]

    @property
    def failed(self) -> list[Step]:
        return [each for each in self.steps if each.outcome is Outcome.FAILED]

    @property
    def passed(self) -> bool:
        """Something was tried, and nothing failed."""
        return bool(self.steps) and not self.failed

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown by the API."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @classmethod
    def from_json(cls, stored: Any) -> "Report":
        return msgspec.convert(stored, cls)


def table(report: Report) -> str:
    """For people: a line for each step, by channel, and one for each channel's figures at the end."""
    rows = [("CHANNEL", "TRIED", "WHAT", "OUTCOME", "AFTER", "DETAIL"), *map(_row, sorted(report.steps, key=_order))]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *figures(report)])


def figures(report: Report) -> Iterator[str]:
    """One line for each channel: how many of its messages arrived, and how long the slowest took."""
    for channel in dict.fromkeys(each.channel for each in report.steps):
        steps = [each for each in report.steps if each.channel == channel]
        tried = [each for each in steps if each.outcome is not Outcome.LEFT_OUT]
        failed = sum(each.outcome is Outcome.FAILED for each in tried)
        slowest = max((each.seconds for each in tried), default=0.0)
        unproven = sum(each.outcome is Outcome.ACCEPTED for each in tried)
        line = f"{channel}: {len(tried) - failed} of {len(tried)} went well, the slowest took {slowest:.2f} s"
        if failed:
            line += f"; {failed} FAILED"
        if unproven:
            line += f"; for {unproven} the vendor does not say whether it was posted: look at the channel"
        yield line


def _row(step: Step) -> tuple[str, ...]:
    after = f"{step.seconds:.2f} s" if step.outcome is not Outcome.LEFT_OUT else ""
    return (step.channel, step.tried, step.what, step.outcome, after, step.detail)


def _order(step: Step) -> tuple[str, datetime]:
    return (step.channel, step.at)
