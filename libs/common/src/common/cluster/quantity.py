"""Kubernetes quantities as integers: "250m" CPU is 250 millicores, "1Gi" memory is 1073741824 bytes."""

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_SHAPE = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i))?", re.ASCII)
_LARGEST = Decimal(2**63 - 1)  # what the API server holds; more is cut to it


@lru_cache(maxsize=4096)
def millicores(quantity: str) -> int:
    """Raises ValueError when it is not a quantity. Fractions are rounded up, as the scheduler does."""
    return _whole(_parse(quantity) * 1000)


@lru_cache(maxsize=4096)
def whole(quantity: str) -> int:
    """Bytes, or a count. Raises ValueError when it is not a quantity. Fractions are rounded up."""
    return _whole(_parse(quantity))


def _parse(quantity: str) -> Decimal:
    match = _SHAPE.fullmatch(quantity)
    if match is None:
        raise ValueError(f"{quantity[:50]!r} is not a Kubernetes quantity")
    number, exponent, suffix = match.groups()
    try:
        return Decimal(number + (exponent or "")) * (_SUFFIXES[suffix] if suffix else 1)
    except ArithmeticError:
        raise ValueError(f"{quantity[:50]!r} is not a Kubernetes quantity within reason") from None


def _whole(value: Decimal) -> int:
    return int(max(-_LARGEST, min(value, _LARGEST)).to_integral_value(ROUND_CEILING))
