"""A guard vetoes a step, with a reason, numbers, and when it is to be looked at again."""

from typing import ClassVar, Protocol

from auto_healing.facts import Facts
from auto_healing.plan import Decline, Step


class Guard(Protocol):
    """Pure and quick. Whatever it cannot tell for sure is a decline: guards fail closed, an exception included.

    `stops_restoring` is False for nearly all: a tripped guard stops what may harm, never an uncordon or an undo.
    """

    code: ClassVar[str]  # stable id, as in metrics and the ledger; its settings have the same name
    title: ClassVar[str]  # what it asks, one sentence for the catalogue
    looks_at: ClassVar[str]  # by what it decides, a few sentences for the catalogue
    stops_restoring: ClassVar[bool]

    def check(self, step: Step, facts: Facts) -> Decline | None:
        """None allows."""
