"""What a benchmark says: figures, each with its target."""

import math
import statistics
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def split(values: Sequence[float], parts: int) -> list[Sequence[float]]:
    """Runs of one length, in their order; what is left over is left out."""
    length = len(values) // parts
    return [values[part * length : (part + 1) * length] for part in range(parts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity. `runs` are the single readings, `value` their median unless it is given."""

    id: str
    what: str
    unit: str
    target: float
    better: Literal["lower", "higher"]
    runs: Sequence[float]
    conditions: str
    value: float | None = None
    note: str = ""

    def entry(self) -> dict[str, object]:
        value = statistics.median(self.runs) if self.value is None else self.value
        met = value <= self.target if self.better == "lower" else value >= self.target
        return {
            **asdict(self),
            "value": round(value, 4),
            "met": met,
            "runs": [round(r, 4) for r in self.runs],
            "min": round(min(self.runs), 4),
            "max": round(max(self.runs), 4),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """`run(quick)` measures; quick rounds show that it works, their numbers mean little."""

    id: str
    title: str
    run: Callable[[bool], Coroutine[Any, Any, list[Figure]]]
    family: tuple[str, ...] = field(default=())  # further ids that the same run measures
