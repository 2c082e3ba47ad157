"""Which answers were given lately, so that a fault that lasts fills no ledger with the same word each second."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auto_healing.plan import Decline, Plan

# Numbers such as a remaining time differ at each look, and with them what is said; that alone is no news so soon.
_WORDS_AFTER = timedelta(seconds=60)
# A guard that is asked again at the time it named may name the next one at once.
_LOOK_AGAIN_AFTER = timedelta(seconds=10)
_OBSERVED_AFTER = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(hours=2)
_FULL = 20_000


@dataclass(frozen=True, slots=True)
class _Answer:
    at: datetime
    guards: tuple[str, ...]
    words: Hashable
    look_again_at: datetime | None


class Repeats:
    """What was told last about each plan, in memory: after a restart everything is told once more."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}

    def is_repeat(self, plan: Plan, declined: Sequence[Decline], at: datetime) -> bool:
        """Whether the same was said of the same plan so lately that saying it again is no news.

        No `declined` stands for what is only observed.
        """
        last = self._answers.get(_key(plan))
        if last is None or last.guards != _guards(declined):
            return False
        age = at - last.at
        if age < timedelta(0):  # the clock was set back: nothing was told lately
            return False
        if not declined:
            return age < _OBSERVED_AFTER
        if last.look_again_at is not None and at >= last.look_again_at and age >= _LOOK_AGAIN_AFTER:
            return False
        return age < _WORDS_AFTER or last.words == _words(declined)

    def told(self, plan: Plan, declined: Sequence[Decline], at: datetime) -> None:
        if len(self._answers) >= _FULL:
            self._forget(at)
        look_again_at = declined[0].look_again_at if declined else None
        self._answers[_key(plan)] = _Answer(at, _guards(declined), _words(declined), look_again_at)

    def forget(self, plan: Plan) -> None:
        """What comes next is news: the plan was carried out."""
        self._answers.pop(_key(plan), None)

    def _forget(self, at: datetime) -> None:
        """Drop the old ones; all, when they are all of this storm."""
        self._answers = {key: each for key, each in self._answers.items() if at - each.at < _FORGOTTEN_AFTER}
        if len(self._answers) >= _FULL:
            self._answers.clear()


def _key(plan: Plan) -> Hashable:
    return plan.rule, plan.fault.key, plan.target, plan.rung, tuple(step.action for step in plan.steps)


def _guards(declined: Sequence[Decline]) -> tuple[str, ...]:
    return tuple(each.guard for each in declined)


def _words(declined: Sequence[Decline]) -> Hashable:
    """The reason that counts, and the numbers of all."""
    first = declined[0].message if declined else ""
    return first, tuple(tuple(sorted(each.numbers.items())) for each in declined)
