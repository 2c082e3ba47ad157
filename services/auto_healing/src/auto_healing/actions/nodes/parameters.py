"""Parameters of actions on nodes, checked. A wrong one raises a ValueError that says what is right."""

from collections.abc import Collection
from datetime import timedelta

from auto_healing.plan import Parameters

LEASE_MINUTES = "lease_minutes"
_WEEK = 7 * 24 * 60


def only_known(parameters: Parameters, known: Collection[str]) -> None:
    """A parameter that nobody reads is a slip of the pen."""
    if unknown := sorted(parameters.keys() - set(known)):
        there = f"there is: {', '.join(sorted(known))}" if known else "it takes none"
        raise ValueError(f"there is no parameter {', '.join(unknown)}; {there}")


def minutes(parameters: Parameters, name: str, default: int) -> timedelta:
    """From a minute to a week."""
    return timedelta(minutes=whole(parameters, name, default, most=_WEEK))


def whole(parameters: Parameters, name: str, default: int, *, most: int) -> int:
    """A whole number from 1 to `most`."""
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{name} has to be a whole number from 1 to {most}, not {value!r}")
    return value


def choice(parameters: Parameters, name: str, default: str, among: Collection[str]) -> str:
    value = parameters.get(name, default)
    if value not in among:
        raise ValueError(f"{name} has to be one of {', '.join(among)}, not {value!r}")
    return str(value)


def words(parameters: Parameters, name: str) -> frozenset[str]:
    """Words with commas between them; none when it is not given."""
    value = parameters.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} has to be words with commas between them, not {value!r}")  # noqa: TRY004 - a wrong request
    return frozenset(word.strip() for word in value.split(",") if word.strip())


def truth(parameters: Parameters, name: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} has to be true or false, not {value!r}")  # noqa: TRY004 - a wrong request
    return value
