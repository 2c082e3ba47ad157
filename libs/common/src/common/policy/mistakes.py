"""What is wrong with a policy file, told so that whoever wrote it can put it right."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in the file that cannot stand. `path` is where, such as `checks.pod-restarts.thresholds.after`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class PolicyError(ValueError):
    """The policy file cannot be used."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was meant, or all that is known when that is little."""
    known = sorted(known)
    matches = get_close_matches(name, known, n=1)
    if matches:
        return f"; did you mean {matches[0]}?"
    return f"; known are {', '.join(known)}" if len(known) <= 10 else ""
