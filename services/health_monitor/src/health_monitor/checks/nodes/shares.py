"""Parts of what a node can allocate."""


def percent(part: float, whole: float) -> int:
    return round(part * 100 / whole)
