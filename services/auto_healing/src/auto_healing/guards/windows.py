"""Maintenance windows: hours at which healing is allowed or denied."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from common.hours import Hours
from common.policy.shape import Strict


class Window(Hours):
    """From `start` to `end` on each of the days, local time; over midnight when the end is not later than the start."""

    name: str
    """What it is for, for people: it stands in the refusal."""
    effect: Literal["allow", "deny"]
    """Whether healing is allowed or denied within it. Where windows overlap, deny wins."""


class MaintenanceWindowSettings(Strict):
    """When healing is allowed."""

    model_config = ConfigDict(frozen=True)

    otherwise: Literal["allow", "deny"] = "allow"
    """What holds outside of all windows. Allow by default; deny makes windows of effect allow the only times."""
    windows: Annotated[tuple[Window, ...], Field(strict=False)] = ()
    """None by default: trouble keeps no hours."""

    def denied_by(self, now: datetime) -> str:
        """What forbids it, for people; empty when it is allowed."""
        if not self.windows:
            return "outside of every window" if self.otherwise == "deny" else ""
        inside = [window for window in self.windows if window.contains(now)]
        for window in inside:
            if window.effect == "deny":
                return f"within the window {window.name!r}"
        allowed = self.otherwise == "allow" or bool(inside)
        return "" if allowed else "outside of every window"


@lru_cache(maxsize=64)  # asked by every step of a storm within the same minute
def next_allowed(settings: MaintenanceWindowSettings, now: datetime) -> datetime | None:
    """The first instant after `now` at which it is allowed; None when that is not in sight."""
    edges = sorted({edge for window in settings.windows for edge in window.edges(now)})
    return next((edge for edge in edges if not settings.denied_by(edge)), None)
