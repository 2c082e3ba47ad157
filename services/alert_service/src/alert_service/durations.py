"""How long something took, or takes, in words for people. Pure."""

from datetime import timedelta


def shortly(duration: timedelta) -> str:
    """For people: "41 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    seconds = max(int(duration.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
