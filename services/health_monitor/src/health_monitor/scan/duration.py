"""Lengths of time as people read them."""

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def short(length: timedelta) -> str:
    """The one or two largest units: 5s, 12m, 3h 20m, 9d. Negative lengths, from clocks that disagree, count as none."""
    seconds = max(int(length.total_seconds()), 0)
    for index, (unit, size) in enumerate(_UNITS):
        if seconds >= size:
            return f"{seconds // size}{unit}{_rest(seconds % size, index)}"
    return "0s"


def _rest(seconds: int, index: int) -> str:
    # Minutes next to days, or seconds next to minutes, say nothing that a reader acts on.
    if _UNITS[index][0] != "h" or seconds < 60:
        return ""
    return f" {seconds // 60}m"
